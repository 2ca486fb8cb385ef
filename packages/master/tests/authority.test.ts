// Whoever asks is held to what they may when it is done, not when they asked.
import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson, type Roles } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { engineOf } from '../src/db/portable.ts'
import { type Tx, transaction } from '../src/db/transaction.ts'
import { hashPassword } from '../src/passwords.ts'
import { type Door, doorAt, openDoor } from './door.ts'

let stack: AsyncDisposableStack
let mesh: TestMaster
let root: Door
let organization: string
let workspace: string
let counter = 0

const fresh = (prefix: string) => `${prefix}-${++counter}`

async function person(roles: Roles = {}) {
  const made = await newPerson(mesh.master.ctx, mesh.base, `${fresh('person')}@example.com`, roles)
  return { ...made, door: doorAt(mesh.base, made.token) }
}

/** Sends a request while a transaction keeps all others waiting, and lets that do its `work` once the request waits too. */
async function duringRequest<T>(ask: () => Promise<T>, work: (tx: Tx) => Promise<unknown>): Promise<T> {
  const { ctx } = mesh.master
  let asked: Promise<T> | undefined
  await transaction(ctx, async (tx) => {
    asked = ask()
    // On SQLite what asks inside of a transaction waits for this one to end, which nothing shows.
    if (engineOf(ctx.db) === 'postgres') await until('the request to wait', async () => (await waiting()) > 0)
    await work(tx)
  })
  return asked!
}

async function waiting(): Promise<number> {
  const { rows } = await sql`select 1 from pg_locks where not granted`.execute(mesh.master.ctx.db)
  return rows.length
}

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    root = await openDoor(mesh.base, administrator)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  beforeEach(async () => {
    const slug = fresh('org')
    organization = (await root('POST', '/organizations', { body: { name: slug, slug } })).body.id
    workspace = (await root('POST', `/organizations/${organization}/workspaces`, { body: { name: 'W', slug: 'w' } })).body.id
  })

  const removed =
    (userId: string) =>
    ({ db }: Tx) =>
      db.deleteFrom('organization_members').where('user_id', '=', userId).execute()

  test.each<[string, () => [string, object]]>([
    ['invites nobody', () => [`/organizations/${organization}/invitations`, { email: 'friend@example.com' }]],
    ['creates no user', () => ['/users', { email: `${fresh('u')}@example.com`, name: 'U', organization_id: organization, role: 'member' }]],
    ['makes no workspace', () => [`/organizations/${organization}/workspaces`, { name: 'X', slug: fresh('x') }]],
    ['makes no agent', () => [`/workspaces/${workspace}/agents/tokens`, { name: fresh('agent') }]],
    ['changes no config', () => [`/workspaces/${workspace}/upstreams`, { name: 'u', servers: [{ address: '127.0.0.1:1' }] }]],
  ])('an administrator who is removed meanwhile %s', async (_what, make) => {
    const admin = await person({ organization: { id: organization, role: 'admin' } })
    const [path, body] = make()
    const answer = await duringRequest(() => admin.door('POST', path, { body }), removed(admin.id))
    expect([404, 422]).toContain(answer.status)
  })

  test('an administrator of a workspace who is removed meanwhile does not come back', async () => {
    const admin = await person({ organization: { id: organization, role: 'member' }, workspace: { id: workspace, role: 'admin' } })
    const other = await person({ organization: { id: organization, role: 'member' } })
    const answer = await duringRequest(
      () => admin.door('POST', `/workspaces/${workspace}/members`, { body: { user_id: other.id, role: 'admin' } }),
      ({ db }) => db.deleteFrom('workspace_members').where('user_id', '=', admin.id).execute(),
    )
    expect(answer.status).toBe(404)
  })

  test('an invitation is worth what its maker may still give', async () => {
    const owner = await person({ organization: { id: organization, role: 'owner' } })
    const invite = async () => {
      const email = `${fresh('guest')}@example.com`
      const { body } = await owner.door('POST', `/organizations/${organization}/invitations`, { body: { email, role: 'owner' } })
      return { token: body.token, name: 'Guest', password: 'the password of a guest' }
    }
    const [first, second, third] = [await invite(), await invite(), await invite()]
    const accept = (body: object) => doorAt(mesh.base, undefined)('POST', '/auth/invitations/accept', { body })
    expect((await accept(first)).status).toBe(200)
    const member = `/organizations/${organization}/members/${owner.id}`
    await root('PATCH', member, { body: { role: 'admin' } })
    expect((await accept(second)).status).toBe(401)
    expect((await root('DELETE', member)).status).toBe(204)
    expect((await accept(third)).status).toBe(401)
  })

  test('a sign-in with a password that is changed meanwhile begins no session', async () => {
    const someone = await person()
    const password_hash = await hashPassword('another password of theirs')
    const { ctx } = mesh.master
    let asked: ReturnType<Door> | undefined
    await ctx.db.transaction().execute(async (trx) => {
      await trx.updateTable('users').set({ password_hash }).where('id', '=', someone.id).execute()
      asked = doorAt(mesh.base, undefined)('POST', '/auth/login', { body: { email: someone.email, password: someone.password } })
      if (engineOf(ctx.db) === 'postgres') await until('the sign-in to wait', async () => (await waiting()) > 0)
    })
    expect((await asked!).status).toBe(401)
  })

  test('sessions are begun, ended and misused on record', async () => {
    const someone = await person({ organization: { id: organization, role: 'member' } })
    const credentials = { email: someone.email, password: someone.password }
    const open = doorAt(mesh.base, undefined)
    const { body } = await open('POST', '/auth/login', { body: credentials })
    await open('POST', '/auth/refresh', { body: { refresh_token: body.refresh_token } })
    expect((await open('POST', '/auth/refresh', { body: { refresh_token: body.refresh_token } })).status).toBe(401)
    await someone.door('POST', '/auth/logout')
    const log = (await root('GET', `/organizations/${organization}/audit-log?object=${someone.id}`)).body.data
    expect(log.map((entry: { action: string }) => entry.action)).toEqual(['auth.logout', 'auth.refresh-reused', 'auth.login', 'auth.login'])
  })

  test('an administrator who resets a password ends the API tokens too', async () => {
    const someone = await person({ organization: { id: organization, role: 'member' } })
    const { body } = await someone.door('POST', '/tokens', { body: { name: 'CI', organization_id: organization, role: 'viewer' } })
    expect((await doorAt(mesh.base, body.token)('GET', '/auth/me')).status).toBe(200)
    expect((await root('POST', `/users/${someone.id}/password`)).status).toBe(200)
    expect((await doorAt(mesh.base, body.token)('GET', '/auth/me')).status).toBe(401)
  })

  test('an agent that virtual hosts name is not deleted', async () => {
    const { agent_id } = (await root('POST', `/workspaces/${workspace}/agents/tokens`, { body: { name: 'edge' } })).body
    const target_agents = { type: 'agents', agent_ids: [agent_id] }
    const body = { name: 'Shop', server_name: 'shop.test', listen_port: 80, target_agents }
    const host = (await root('POST', `/workspaces/${workspace}/virtual-hosts`, { body })).body
    const refused = await root('DELETE', `/agents/${agent_id}`)
    expect([refused.status, refused.body.error.details[0]]).toMatchObject([409, { code: 'IN_USE' }])
    expect(refused.body.error.details[0].message).toContain(host.id)
    await root('PATCH', `/virtual-hosts/${host.id}`, { body: { target_agents: { type: 'all' } } })
    expect((await root('DELETE', `/agents/${agent_id}`)).status).toBe(204)
  })

  test('changes that wait for each other do not keep reads waiting', async () => {
    const path = `/workspaces/${workspace}/upstreams`
    const create = (index: number) => root('POST', path, { body: { name: `u${index}`, servers: [{ address: '127.0.0.1:1' }] } })
    let writes: ReturnType<Door>[] = []
    await transaction(mesh.master.ctx, async () => {
      writes = Array.from({ length: 20 }, (_, index) => create(index))
      if (engineOf(mesh.master.ctx.db) === 'postgres') await until('writes to wait', async () => (await waiting()) > 3)
      expect((await root('GET', path)).body.meta.total).toBe(0)
    })
    expect((await Promise.all(writes)).map((answer) => answer.status)).toEqual(Array.from({ length: 20 }, () => 201))
    expect((await root('GET', path)).body.meta.total).toBe(20)
  })
})
