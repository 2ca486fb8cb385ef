import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Roles } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Door, doorAt, openDoor } from './door.ts'

const day = 24 * 3_600_000
const nowhere = '550e8400-e29b-41d4-a716-446655440000'

let stack: AsyncDisposableStack
let mesh: TestMaster
let root: Door
let stranger: Door
let offset = 0
let counter = 0
/** A new organization for each test, with its owner and one workspace. */
let organization: string
let workspace: string
let owner: Awaited<ReturnType<typeof person>>

const fresh = (prefix: string) => `${prefix}-${++counter}`

async function person(roles: Roles = {}) {
  const made = await newPerson(mesh.master.ctx, mesh.base, `${fresh('person')}@example.com`, roles)
  return { ...made, door: doorAt(mesh.base, made.token) }
}

const inOrganization = (role: 'owner' | 'admin' | 'member') => person({ organization: { id: organization, role } })
const error = ({ status, body }: { status: number; body: ReturnType<typeof JSON.parse> }) => [
  status,
  body?.error?.code,
  body?.error?.details[0]?.field,
]

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings(), { now: () => Date.now() + offset }))
    root = await openDoor(mesh.base, administrator)
    stranger = doorAt(mesh.base, undefined)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    const slug = fresh('org')
    owner = await person()
    organization = (await owner.door('POST', '/organizations', { body: { name: slug, slug } })).body.id
    workspace = (await owner.door('POST', `/organizations/${organization}/workspaces`, { body: { name: 'W', slug: 'w' } })).body.id
  })

  describe('users', () => {
    test('are created in an organization with a one-time password, changed with If-Match, and deleted', async () => {
      const body = { email: ` ${fresh('New')}@Example.com`, name: 'New One', organization_id: organization, role: 'admin' }
      const created = await owner.door('POST', '/users', { body })
      expect(created.status).toBe(201)
      expect(created.body).toMatchObject({ email: body.email.trim().toLowerCase(), name: 'New One', one_time_password: expect.any(String) })
      const path = `/users/${created.body.id}`
      const shown = await owner.door('GET', path)
      expect(shown.body).not.toHaveProperty('one_time_password')
      const tag = shown.headers.get('etag')!
      const renamed = await owner.door('PATCH', path, { body: { name: 'Newer' }, headers: { 'if-match': tag } })
      expect([renamed.status, renamed.body.name]).toEqual([200, 'Newer'])
      expect((await owner.door('PATCH', path, { body: { name: 'x' }, headers: { 'if-match': tag } })).status).toBe(412)
      expect(error(await owner.door('PATCH', path, { body: { email: 'nonsense' } }))).toEqual([422, 'VALIDATION_ERROR', 'email'])
      expect(error(await owner.door('PATCH', path, { body: { email: owner.email } }))).toEqual([409, 'CONFLICT', 'email'])
      expect((await owner.door('DELETE', path)).status).toBe(204)
      expect((await owner.door('GET', path)).status).toBe(404)
    })

    test('are seen by the administrators of their organizations and by themselves', async () => {
      const [admin, member, elsewhere] = [await inOrganization('admin'), await inOrganization('member'), await person()]
      const seen = async (door: Door) => ((await door('GET', '/users?per_page=100')).body.data as { id: string }[]).map(({ id }) => id)
      expect((await seen(admin.door)).toSorted()).toEqual([owner.id, admin.id, member.id].toSorted())
      expect(await seen(member.door)).toEqual([member.id])
      expect((await admin.door('GET', `/users/${elsewhere.id}`)).status).toBe(404)
      expect((await member.door('GET', `/users/${admin.id}`)).status).toBe(404)
      expect((await member.door('GET', `/users/${member.id}`)).status).toBe(200)
    })

    test('of a higher role, or of another organization too, are out of reach', async () => {
      const [admin, peer] = [await inOrganization('admin'), await inOrganization('admin')]
      const shared = await inOrganization('member')
      await mesh.master.ctx.db
        .insertInto('organization_members')
        .values({ organization_id: mesh.organizationId, user_id: shared.id, role: 'member' })
        .execute()
      for (const [method, path] of [
        ['POST', '/password'],
        ['PATCH', ''],
        ['DELETE', ''],
      ] as const) {
        const body = method === 'PATCH' ? { body: { name: 'Taken over' } } : {}
        for (const { id } of [owner, shared]) expect((await admin.door(method, `/users/${id}${path}`, body)).status).toBe(403)
      }
      expect((await admin.door('POST', `/users/${peer.id}/password`)).status).toBe(200)
      expect((await admin.door('POST', `/users/${admin.id}/password`)).status).toBe(403)
    })

    test('are not created where one is no administrator, nor above oneself', async () => {
      const [admin, member] = [await inOrganization('admin'), await inOrganization('member')]
      const body = { email: `${fresh('x')}@example.com`, name: 'X', organization_id: organization }
      expect((await member.door('POST', '/users', { body })).status).toBe(403)
      expect((await admin.door('POST', '/users', { body: { ...body, role: 'owner' } })).status).toBe(403)
      const outside = await person()
      const foreign = await outside.door('POST', '/users', { body })
      expect(foreign.body.error.details).toEqual(
        (await outside.door('POST', '/users', { body: { ...body, organization_id: nowhere } })).body.error.details,
      )
      expect(error(foreign)).toEqual([422, 'VALIDATION_ERROR', 'organization_id'])
    })
  })

  describe('members', () => {
    test('of an organization are added, given another role and removed', async () => {
      const admin = await inOrganization('admin')
      const own = (await admin.door('POST', '/organizations', { body: { name: 'Own', slug: fresh('own') } })).body.id as string
      const path = `/organizations/${own}/members`
      const added = await admin.door('POST', path, { body: { user_id: owner.id, role: 'member' } })
      expect([added.status, added.body, added.headers.get('etag')]).toEqual([
        201,
        { user_id: owner.id, email: owner.email, name: expect.any(String), role: 'member', created_at: expect.stringMatching(/Z$/) },
        '"1"',
      ])
      expect(error(await admin.door('POST', path, { body: { user_id: owner.id, role: 'member' } }))).toEqual([409, 'CONFLICT', 'user_id'])
      const changed = await admin.door('PATCH', `${path}/${owner.id}`, { body: { role: 'admin' }, headers: { 'if-match': '"1"' } })
      expect([changed.status, changed.body.role, changed.headers.get('etag')]).toEqual([200, 'admin', '"2"'])
      expect((await admin.door('PATCH', `${path}/${owner.id}`, { body: { role: 'member' }, headers: { 'if-match': '"1"' } })).status).toBe(
        412,
      )
      expect((await admin.door('GET', path)).body.meta.total).toBe(2)
      expect((await admin.door('DELETE', `${path}/${owner.id}`)).status).toBe(204)
      expect((await admin.door('GET', `${path}/${owner.id}`)).status).toBe(404)
    })

    test('that one does not see cannot be added, whether they exist or not', async () => {
      const hidden = await person()
      const add = (user_id: string) => owner.door('POST', `/organizations/${organization}/members`, { body: { user_id, role: 'member' } })
      const answers = [await add(hidden.id), await add(nowhere)].map(({ status, body }) => [status, body.error.details])
      expect(answers[0]).toEqual(answers[1])
      expect(answers[0]![0]).toBe(422)
    })

    test('leave when they like, but an organization keeps an owner', async () => {
      const [admin, member] = [await inOrganization('admin'), await inOrganization('member')]
      const path = (id: string) => `/organizations/${organization}/members/${id}`
      expect((await admin.door('PATCH', path(member.id), { body: { role: 'owner' } })).status).toBe(403)
      expect((await admin.door('DELETE', path(owner.id))).status).toBe(403)
      expect((await member.door('DELETE', path(admin.id))).status).toBe(403)
      expect((await member.door('DELETE', path(member.id))).status).toBe(204)
      expect((await member.door('GET', `/organizations/${organization}`)).status).toBe(404)
      expect(error(await owner.door('DELETE', path(owner.id)))).toEqual([409, 'CONFLICT', 'user_id'])
      expect(error(await owner.door('PATCH', path(owner.id), { body: { role: 'admin' } }))).toEqual([409, 'CONFLICT', 'user_id'])
      expect(error(await owner.door('DELETE', `/users/${owner.id}`))).toEqual([409, 'CONFLICT', 'user_id'])
      expect((await owner.door('PATCH', path(admin.id), { body: { role: 'owner' } })).status).toBe(200)
      expect((await owner.door('DELETE', path(owner.id))).status).toBe(204)
    })

    test('who leave at the same time leave an owner behind', async () => {
      const second = await inOrganization('owner')
      const leave = ({ door, id }: { door: Door; id: string }) => door('DELETE', `/organizations/${organization}/members/${id}`)
      const answers = await Promise.all([leave(owner), leave(second)])
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([204, 409]))
    })

    test('of a workspace belong to the organization, and lose it with that', async () => {
      const member = await inOrganization('member')
      const path = `/workspaces/${workspace}/members`
      expect((await member.door('GET', `/workspaces/${workspace}`)).status).toBe(404)
      const outside = await person()
      expect(error(await owner.door('POST', path, { body: { user_id: outside.id, role: 'viewer' } }))).toEqual([
        422,
        'VALIDATION_ERROR',
        'user_id',
      ])
      expect((await owner.door('POST', path, { body: { user_id: member.id, role: 'viewer' } })).status).toBe(201)
      expect((await member.door('GET', path)).body.data).toEqual([expect.objectContaining({ user_id: member.id, role: 'viewer' })])
      expect((await member.door('PATCH', `${path}/${member.id}`, { body: { role: 'admin' } })).status).toBe(403)
      expect((await owner.door('PATCH', `${path}/${member.id}`, { body: { role: 'admin' } })).body.role).toBe('admin')
      expect((await member.door('PATCH', `/workspaces/${workspace}`, { body: { name: 'Mine' } })).status).toBe(200)
      await owner.door('DELETE', `/organizations/${organization}/members/${member.id}`)
      expect((await owner.door('GET', path)).body.data).toEqual([])
      expect((await member.door('GET', `/workspaces/${workspace}`)).status).toBe(404)
    })
  })

  describe('invitations', () => {
    const invite = async (changes: object = {}, from = owner) => {
      const email = `${fresh('guest')}@example.com`
      const answer = await from.door('POST', `/organizations/${organization}/invitations`, { body: { email, ...changes } })
      return { ...answer, email, token: answer.body.token as string }
    }
    const accept = (body: object, door = stranger) => door('POST', '/auth/invitations/accept', { body })

    test('make an account for whoever holds the token, once', async () => {
      const { status, body, email, token } = await invite({ workspaces: [{ workspace_id: workspace, role: 'operator' }] })
      expect([status, body]).toEqual([201, expect.objectContaining({ email, role: 'member', invited_by: owner.email })])
      const list = await owner.door('GET', `/organizations/${organization}/invitations`)
      expect([list.body.meta.total, list.text.includes(token)]).toEqual([1, false])
      expect(error(await accept({ token }))).toEqual([422, 'VALIDATION_ERROR', 'name'])
      const joined = await accept({ token, name: 'Guest', password: 'password of the guest' })
      expect([joined.status, joined.body]).toEqual([
        200,
        expect.objectContaining({
          user: expect.objectContaining({ email, name: 'Guest' }),
          memberships: [
            expect.objectContaining({ role: 'member', workspaces: [expect.objectContaining({ id: workspace, role: 'operator' })] }),
          ],
        }),
      ])
      expect((await accept({ token, name: 'Guest', password: 'password of the guest' })).status).toBe(401)
      const door = await openDoor(mesh.base, { email, password: 'password of the guest' })
      expect((await door('GET', `/workspaces/${workspace}`)).status).toBe(200)
      expect((await owner.door('GET', `/organizations/${organization}/invitations`)).body.data).toEqual([])
    })

    test('are accepted by the user of that address, signed in, and by no other', async () => {
      const guest = await person()
      const { body } = await owner.door('POST', `/organizations/${organization}/invitations`, {
        body: { email: guest.email, role: 'admin' },
      })
      const other = await person()
      expect((await accept({ token: body.token }, other.door)).status).toBe(403)
      expect(error(await accept({ token: body.token, name: 'G', password: 'password of the guest' }))).toEqual([409, 'CONFLICT', 'email'])
      const joined = await accept({ token: body.token }, guest.door)
      expect([joined.status, joined.body.memberships[0].role]).toEqual([200, 'admin'])
    })

    test('end when they are revoked or too old', async () => {
      const [revoked, old] = [await invite(), await invite({ expires_in_hours: 1 })]
      expect((await owner.door('DELETE', `/organizations/${organization}/invitations/${revoked.body.id}`)).status).toBe(204)
      expect((await owner.door('DELETE', `/organizations/${organization}/invitations/${revoked.body.id}`)).status).toBe(404)
      const account = { name: 'Guest', password: 'password of the guest' }
      expect((await accept({ token: revoked.token, ...account })).status).toBe(401)
      try {
        offset = 3_600_001
        expect((await accept({ token: old.token, ...account })).status).toBe(401)
      } finally {
        offset = 0
      }
    })

    test('give no role above that of whoever makes them, and no workspace of others', async () => {
      const [admin, member] = [await inOrganization('admin'), await inOrganization('member')]
      expect((await invite({ role: 'owner' }, admin)).status).toBe(403)
      expect((await invite({}, member)).status).toBe(403)
      const foreign = await invite({ workspaces: [{ workspace_id: mesh.workspaceId, role: 'viewer' }] })
      expect(error(foreign)).toEqual([422, 'VALIDATION_ERROR', 'workspaces.0.workspace_id'])
    })

    test('of another organization cannot be revoked', async () => {
      const { body } = await invite()
      expect((await root('DELETE', `/organizations/${mesh.organizationId}/invitations/${body.id}`)).status).toBe(404)
      expect((await owner.door('GET', `/organizations/${organization}/invitations`)).body.meta.total).toBe(1)
    })
  })

  describe('API tokens', () => {
    const mint = async (input: object = {}, from = owner) => {
      const body = { name: 'CI', organization_id: organization, role: 'operator', ...input }
      const answer = await from.door('POST', '/tokens', { body })
      return { ...answer, door: doorAt(mesh.base, answer.body?.token as string) }
    }

    test('are shown once, kept as a hash, listed and deleted', async () => {
      const { status, body, door } = await mint()
      expect([status, body]).toEqual([
        201,
        {
          id: expect.any(String),
          name: 'CI',
          organization_id: organization,
          workspace_id: null,
          role: 'operator',
          prefix: body.token.slice(0, 12),
          created_at: expect.any(String),
          expires_at: expect.any(String),
          last_used_at: null,
          token: expect.stringMatching(/^nxm_[0-9A-Za-z]{46}$/),
        },
      ])
      const rows = JSON.stringify(await mesh.master.ctx.db.selectFrom('api_tokens').selectAll().where('id', '=', body.id).execute())
      expect(rows).not.toContain(body.token.slice(12))
      expect((await door('GET', `/workspaces/${workspace}`)).status).toBe(200)
      const list = await owner.door('GET', '/tokens')
      expect([list.body.data.length, list.text.includes(body.token)]).toEqual([1, false])
      expect(list.body.data[0].last_used_at >= list.body.data[0].created_at).toBe(true)
      const other = await inOrganization('owner')
      expect((await other.door('GET', `/tokens/${body.id}`)).status).toBe(404)
      expect((await other.door('DELETE', `/tokens/${body.id}`)).status).toBe(404)
      expect((await owner.door('DELETE', `/tokens/${body.id}`)).status).toBe(204)
      expect((await door('GET', `/workspaces/${workspace}`)).status).toBe(401)
    })

    test('do no more than their role, in no other place, and never more than their owner', async () => {
      const second = (await owner.door('POST', `/organizations/${organization}/workspaces`, { body: { name: 'V', slug: 'v' } })).body.id
      const upstream = { name: 'web', servers: [{ address: '127.0.0.1:9000' }] }
      const operator = await mint({ workspace_id: workspace })
      expect((await operator.door('POST', `/workspaces/${workspace}/upstreams`, { body: upstream })).status).toBe(201)
      expect((await operator.door('PATCH', `/workspaces/${workspace}`, { body: { name: 'x' } })).status).toBe(403)
      expect((await operator.door('GET', `/workspaces/${second}`)).status).toBe(404)
      expect((await operator.door('GET', `/organizations/${organization}`)).status).toBe(404)
      expect((await operator.door('GET', '/organizations')).body.data).toEqual([])
      expect((await operator.door('GET', '/auth/me')).body).toMatchObject({ token: { workspace_id: workspace, role: 'operator' } })

      const viewer = await mint({ role: 'viewer' })
      expect((await viewer.door('GET', `/organizations/${organization}/workspaces`)).body.meta.total).toBe(2)
      expect((await viewer.door('POST', `/workspaces/${workspace}/upstreams`, { body: { ...upstream, name: 'b' } })).status).toBe(403)
      expect((await viewer.door('DELETE', `/organizations/${organization}/members/${owner.id}`)).status).toBe(403)
      expect((await viewer.door('GET', '/users')).body.data).toEqual([expect.objectContaining({ id: owner.id })])

      const member = await inOrganization('member')
      const bold = await mint({ role: 'owner' }, member)
      expect((await bold.door('GET', `/organizations/${organization}`)).status).toBe(200)
      expect((await bold.door('PATCH', `/organizations/${organization}`, { body: { name: 'x' } })).status).toBe(403)
      expect((await bold.door('GET', `/workspaces/${workspace}`)).status).toBe(404)
      await owner.door('DELETE', `/organizations/${organization}/members/${member.id}`)
      expect((await bold.door('GET', '/auth/me')).status).toBe(401)
    })

    test('mint no tokens, change no passwords, make no accounts and leave nothing', async () => {
      const { door } = await mint({ role: 'owner' })
      const member = await inOrganization('member')
      for (const [method, path, body] of [
        ['POST', '/tokens', { name: 'more', organization_id: organization, role: 'owner' }],
        ['GET', '/tokens', undefined],
        ['POST', '/auth/password', { current_password: `the password of ${owner.email}`, new_password: 'another password' }],
        ['POST', '/auth/logout', undefined],
        ['POST', `/users/${member.id}/password`, undefined],
        ['PATCH', `/users/${member.id}`, { email: 'taken@example.com' }],
        ['DELETE', `/users/${member.id}`, undefined],
        ['POST', '/users', { email: 'a@example.com', name: 'A', organization_id: organization }],
        ['POST', `/organizations/${organization}/invitations`, { email: 'a@example.com' }],
        ['POST', '/organizations', { name: 'O', slug: fresh('o') }],
      ] as const) {
        expect([path, (await door(method, path, body && { body })).status]).toEqual([path, 403])
      }
    })

    test('end at their time', async () => {
      const { door, body } = await mint({ expires_in_days: 1 })
      expect(Math.round((Date.parse(body.expires_at) - Date.parse(body.created_at)) / 1000)).toBe(day / 1000)
      try {
        offset = day + 1000
        expect((await door('GET', `/workspaces/${workspace}`)).status).toBe(401)
      } finally {
        offset = 0
      }
    })

    test('are for places that their owner sees', async () => {
      const foreign = await mint({ organization_id: mesh.organizationId })
      expect(error(foreign)).toEqual([422, 'VALIDATION_ERROR', 'organization_id'])
      expect((await mint({ organization_id: nowhere })).body.error.details).toEqual(foreign.body.error.details)
      expect(error(await mint({ workspace_id: mesh.workspaceId }))).toEqual([422, 'VALIDATION_ERROR', 'workspace_id'])
      const member = await inOrganization('member')
      expect(error(await mint({ workspace_id: workspace }, member))).toEqual([422, 'VALIDATION_ERROR', 'workspace_id'])
    })
  })

  test('no query of all these reads a whole table', async () => {
    expect(mesh.queries.size).toBeGreaterThan(50)
    const found = await unindexed(mesh.master.ctx.db, mesh.queries)
    // Where one belongs, and whom one administers, is put in order when it is known.
    expect(found.filter((text) => !/ORDER BY: select \* from "(organizations|users)" where "id" in \(/.test(text))).toEqual([])
  })
})
