import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { createLocalJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Door, doorAt, openDoor } from './door.ts'

const day = 24 * 3_600_000

let stack: AsyncDisposableStack
let mesh: TestMaster
let stranger: Door
let offset = 0
let counter = 0

const address = () => `user-${++counter}@example.com`
const signIn = async (credentials: { email: string; password: string }) =>
  (await stranger('POST', '/auth/login', { body: credentials })).body
const refresh = (refresh_token: string) => stranger('POST', '/auth/refresh', { body: { refresh_token } })
const passwordOf = (email: string) => ({ email, password: `the password of ${email}` })

async function newUser(role?: 'owner' | 'admin' | 'member') {
  const email = address()
  const organization = role && { id: mesh.organizationId, role }
  const person = await newPerson(mesh.master.ctx, mesh.base, email, organization ? { organization } : {})
  return { ...person, door: doorAt(mesh.base, person.token), credentials: passwordOf(email) }
}

describe.each(stores)('on $name', (store) => {
  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings(), { now: () => Date.now() + offset }))
    stranger = doorAt(mesh.base, undefined)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  describe('a session', () => {
    test('shows who one is and where one belongs', async () => {
      const { body } = await (await openDoor(mesh.base, administrator))('GET', '/auth/me')
      expect(body).toEqual({
        user: expect.objectContaining({ email: administrator.email, name: 'Administrator' }),
        must_change_password: false,
        token: null,
        memberships: [{ organization: { id: mesh.organizationId, name: 'Default', slug: 'default' }, role: 'owner', workspaces: [] }],
      })
    })

    test('ends at once with logout, access token and refresh token alike; others go on', async () => {
      const { credentials } = await newUser()
      const [first, second] = [await signIn(credentials), await signIn(credentials)]
      expect((await doorAt(mesh.base, first.access_token)('POST', '/auth/logout')).status).toBe(204)
      expect((await doorAt(mesh.base, first.access_token)('GET', '/auth/me')).status).toBe(401)
      expect((await refresh(first.refresh_token)).status).toBe(401)
      expect((await doorAt(mesh.base, second.access_token)('GET', '/auth/me')).status).toBe(200)
      expect((await refresh(second.refresh_token)).status).toBe(200)
    })

    test('of a refresh token ends too when it is given; that of another user does not', async () => {
      const [mine, theirs] = [await newUser(), await newUser()]
      const other = await signIn(mine.credentials)
      const foreign = await signIn(theirs.credentials)
      expect((await mine.door('POST', '/auth/logout', { body: { refresh_token: other.refresh_token } })).status).toBe(204)
      expect((await refresh(other.refresh_token)).status).toBe(401)
      const again = doorAt(mesh.base, (await signIn(mine.credentials)).access_token)
      await again('POST', '/auth/logout', { body: { refresh_token: foreign.refresh_token } })
      expect((await refresh(foreign.refresh_token)).status).toBe(200)
    })

    test('of which a refresh token comes twice ends, with its access tokens', async () => {
      const { credentials } = await newUser()
      const first = await signIn(credentials)
      const second = (await refresh(first.refresh_token)).body
      expect((await refresh(first.refresh_token)).status).toBe(401)
      expect((await doorAt(mesh.base, second.access_token)('GET', '/auth/me')).status).toBe(401)
      expect((await refresh(second.refresh_token)).status).toBe(401)
    })
  })

  describe('a password', () => {
    test('is changed with the present one, and other sessions end', async () => {
      const { door, credentials } = await newUser()
      const other = await signIn(credentials)
      const change = { current_password: credentials.password, new_password: 'a quite different one' }
      const wrong = await door('POST', '/auth/password', { body: { ...change, current_password: 'wrong' } })
      expect([wrong.status, wrong.body.error.details[0].field]).toEqual([422, 'current_password'])
      const same = await door('POST', '/auth/password', { body: { ...change, new_password: credentials.password } })
      expect([same.status, same.body.error.details[0].field]).toEqual([422, 'new_password'])
      expect((await door('POST', '/auth/password', { body: { ...change, new_password: 'short' } })).status).toBe(422)
      expect((await door('POST', '/auth/password', { body: change })).status).toBe(204)
      expect((await door('GET', '/auth/me')).status).toBe(200)
      expect((await doorAt(mesh.base, other.access_token)('GET', '/auth/me')).status).toBe(401)
      expect((await refresh(other.refresh_token)).status).toBe(401)
      expect((await stranger('POST', '/auth/login', { body: credentials })).status).toBe(401)
      expect((await signIn({ ...credentials, password: change.new_password })).access_token).toBeTypeOf('string')
    })

    test('that an administrator resets works once more, for nothing but setting another', async () => {
      const admin = await newUser('admin')
      const member = await newUser('member')
      const reset = await admin.door('POST', `/users/${member.id}/password`)
      expect(reset.status).toBe(200)
      expect((await member.door('GET', '/auth/me')).status).toBe(401)
      expect((await stranger('POST', '/auth/login', { body: member.credentials })).status).toBe(401)
      const once = { email: member.email, password: reset.body.one_time_password }
      const door = await openDoor(mesh.base, once)
      expect((await door('GET', '/auth/me')).body.must_change_password).toBe(true)
      expect((await door('GET', '/organizations')).status).toBe(403)
      expect((await door('POST', '/tokens', { body: {} })).status).toBe(403)
      const change = { current_password: once.password, new_password: 'one of their own' }
      expect((await door('POST', '/auth/password', { body: change })).status).toBe(204)
      expect((await door('GET', '/organizations')).status).toBe(200)
      expect((await stranger('POST', '/auth/login', { body: once })).status).toBe(401)
    })

    test('for one time is worth nothing after three days', async () => {
      const admin = await newUser('admin')
      const body = { email: address(), name: 'Late', organization_id: mesh.organizationId }
      const created = (await admin.door('POST', '/users', { body })).body
      const once = { email: created.email, password: created.one_time_password }
      const door = await openDoor(mesh.base, once)
      expect((await door('GET', '/auth/me')).status).toBe(200)
      try {
        offset = 3 * day + 1000
        expect((await door('GET', '/auth/me')).status).toBe(401)
        const late = await stranger('POST', '/auth/login', { body: once })
        expect([late.status, late.body.error.message]).toEqual([401, expect.stringContaining('expired')])
      } finally {
        offset = 0
      }
    })

    test('is never in an answer, in the audit log or in the database', async () => {
      const admin = await newUser('admin')
      const member = await newUser('member')
      const { one_time_password } = (await admin.door('POST', `/users/${member.id}/password`)).body
      const { db } = mesh.master.ctx
      const log = JSON.stringify(await db.selectFrom('audit_log').selectAll().where('object_id', '=', member.id).execute())
      expect(log).toContain('user.reset-password')
      const rows = await db.selectFrom('users').selectAll().execute()
      for (const secret of [one_time_password, member.credentials.password]) expect(log + JSON.stringify(rows)).not.toContain(secret)
    })
  })

  describe('a cookie', () => {
    const page = { 'x-nxmesh-session': '1' }
    const open = async () => {
      const { credentials } = await newUser('admin')
      const answer = await stranger('POST', '/auth/session', { body: credentials, headers: page })
      const [cookie] = answer.headers.getSetCookie()
      return { answer, cookie: cookie!, pair: cookie!.split(';')[0]! }
    }

    test('carries a session that scripts cannot read', async () => {
      const { answer, cookie, pair } = await open()
      expect(answer.status).toBe(200)
      expect(cookie).toMatch(/^nxmesh_session=[\w-]{43}; Path=\/; Max-Age=604800; HttpOnly; SameSite=Strict$/)
      expect(answer.text).not.toContain(pair.split('=')[1])
      const me = await stranger('GET', '/auth/me', { headers: { cookie: `theme=dark; ${pair}` } })
      expect([me.status, me.body.user.email]).toEqual([200, answer.body.user.email])
      expect((await stranger('GET', '/auth/me', { headers: { cookie: `${pair}x` } })).status).toBe(401)
    })

    test('changes something only with the header, and from no other origin', async () => {
      const { pair } = await open()
      const origin = new URL(mesh.base).origin
      const create = (headers: Record<string, string>) =>
        stranger('POST', '/organizations', { body: { name: 'O', slug: `from-cookie-${++counter}` }, headers: { cookie: pair, ...headers } })
      expect((await create({})).status).toBe(403)
      expect((await create({ origin })).status).toBe(403)
      expect((await create({ ...page, origin: 'https://evil.example' })).status).toBe(403)
      expect((await create({ ...page, origin: 'null' })).status).toBe(403)
      expect((await create({ ...page, 'sec-fetch-site': 'cross-site' })).status).toBe(403)
      expect((await create({ ...page, origin })).status).toBe(201)
      expect((await create(page)).status).toBe(201)
    })

    test('is not given to a page of another origin', async () => {
      const { credentials } = await newUser()
      for (const headers of [{}, { ...page, origin: 'https://evil.example' }]) {
        const answer = await stranger('POST', '/auth/session', { body: credentials, headers })
        expect([answer.status, answer.headers.getSetCookie()]).toEqual([403, []])
      }
    })

    test('is worth nothing once the session is closed, and is taken back', async () => {
      const { pair } = await open()
      const closed = await stranger('DELETE', '/auth/session', { headers: { cookie: pair, ...page } })
      expect([closed.status, closed.headers.getSetCookie()[0]]).toEqual([204, expect.stringMatching(/^nxmesh_session=; .*Max-Age=0/)])
      expect((await stranger('GET', '/auth/me', { headers: { cookie: pair } })).status).toBe(401)
    })
  })

  describe('signing keys', () => {
    test('are replaced after 90 days; the old one verifies until its tokens have ended', async () => {
      const { tokens } = mesh.master.ctx
      const keys = async () => (await (await fetch(`${mesh.base}/.well-known/jwks.json`)).json()) as { keys: { kid: string; d?: string }[] }
      const kidOf = (token: string) => JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()).kid as string
      const { credentials } = await newUser()
      const before = await keys()
      try {
        offset = 90 * day - 60_000
        expect(await tokens.rotate()).toMatchObject({ made: false })
        const old = (await signIn(credentials)).access_token
        offset = 90 * day + 60_000
        expect(await tokens.rotate()).toMatchObject({ made: true, keys: before.keys.length + 1 })
        const fresh = (await signIn(credentials)).access_token
        expect(kidOf(fresh)).not.toBe(kidOf(old))
        const published = await keys()
        expect(published.keys.map(({ kid }) => kid)).toEqual([kidOf(fresh), ...before.keys.map(({ kid }) => kid)])
        expect(published.keys.some((key) => 'd' in key)).toBe(false)
        const now = { currentDate: new Date(Date.now() + offset) }
        for (const token of [old, fresh]) {
          expect((await doorAt(mesh.base, token)('GET', '/auth/me')).status).toBe(200)
          await jwtVerify(token, createLocalJWKSet(published as Parameters<typeof createLocalJWKSet>[0]), now)
        }
        offset += 2 * day
        expect(await tokens.rotate()).toEqual({ made: false, keys: 1, forgotten: before.keys.length })
        expect((await keys()).keys.map(({ kid }) => kid)).toEqual([kidOf(fresh)])
      } finally {
        offset = 0
      }
    })
  })

  test('every answer says what browsers may do with it', async () => {
    for (const path of ['/v1/organizations', '/v1/nothing', '/healthz', '/.well-known/jwks.json']) {
      const { headers } = await fetch(`${mesh.base}${path}`)
      expect(Object.fromEntries(headers), path).toMatchObject({
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'x-frame-options': 'DENY',
        'content-security-policy': expect.stringContaining("frame-ancestors 'none'"),
      })
      expect(headers.has('strict-transport-security')).toBe(false)
    }
  })
})

test('behind https the cookie is for secure hosts alone, and browsers are told to stay', async () => {
  await using directory = await scratch()
  await using secure = await startTestMaster(directory.path, ['--public-url', 'https://mesh.example'])
  const door = doorAt(secure.base, undefined)
  const headers = { 'x-nxmesh-session': '1', origin: 'https://mesh.example' }
  const answer = await door('POST', '/auth/session', { body: administrator, headers })
  expect(answer.headers.getSetCookie()[0]).toMatch(/^__Host-nxmesh_session=[\w-]{43}; Path=\/; .*; Secure$/)
  expect(answer.headers.get('strict-transport-security')).toMatch(/^max-age=\d{8}/)
})
