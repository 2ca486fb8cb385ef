import { administrator, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Door, doorAt, openDoor } from './door.ts'

const minute = 60_000
const failures = 3
const limit = 30

let stack: AsyncDisposableStack
let mesh: TestMaster
let offset = 0
let counter = 0
let lastNetwork = 0

/** A door of an address nobody has used, through a proxy that is believed. */
function from(address: string, door: Door = doorAt(mesh.base, undefined)): Door {
  return (method, path, request = {}) => door(method, path, { ...request, headers: { ...request.headers, 'x-forwarded-for': address } })
}
const newAddress = () => `192.0.2.${++lastNetwork}`

async function newUser() {
  const email = `user-${++counter}@example.com`
  await newPerson(mesh.master.ctx, mesh.base, email)
  return { email, password: `the password of ${email}` }
}
type Credentials = Awaited<ReturnType<typeof newUser>>
const signIn = async (door: Door, credentials: Credentials) => door('POST', '/auth/login', { body: credentials })
const wrong = ({ email }: { email: string }) => ({ email, password: 'wrong' })

async function statuses(count: number, call: () => Promise<{ status: number }>): Promise<number[]> {
  const found: number[] = []
  for (let turn = 0; turn < count; turn++) found.push((await call()).status)
  return found
}

const times = <T>(count: number, value: T) => Array.from({ length: count }, () => value)

describe.each(stores)('on $name', (store) => {
  describe('failed sign-ins', () => {
    beforeAll(async () => {
      await using opening = new AsyncDisposableStack()
      const directory = opening.use(await scratch())
      const opened = opening.use(await store.open())
      const settings = ['--sign-in-failures', `${failures}`, '--trusted-proxies', '127.0.0.1', ...(await opened.settings())]
      mesh = opening.use(await startTestMaster(directory.path, settings, { now: () => Date.now() + offset }))
      stack = opening.move()
    })

    afterAll(() => stack.disposeAsync())

    test('of one account from one address are held up, also with the right password, for a quarter of an hour', async () => {
      const user = await newUser()
      const door = from(newAddress())
      expect(await statuses(failures, () => signIn(door, wrong(user)))).toEqual(times(failures, 401))
      const refused = await signIn(door, user)
      expect([refused.status, refused.body.error.code]).toEqual([429, 'RATE_LIMITED'])
      const wait = Number(refused.headers.get('retry-after'))
      expect(wait).toBeGreaterThan(14 * 60)
      expect((await signIn(from(newAddress()), user)).status).toBe(200)
      try {
        offset = wait * 1000
        expect((await signIn(door, user)).status).toBe(200)
      } finally {
        offset = 0
      }
    })

    test('are forgotten when an administrator gives the account another password', async () => {
      const user = await newUser()
      const { ctx } = mesh.master
      const row = await ctx.db.selectFrom('users').select('id').where('email', '=', user.email).executeTakeFirstOrThrow()
      const created_at = new Date().toISOString()
      const member = { organization_id: mesh.organizationId, user_id: row.id, role: 'member' as const, created_at }
      await ctx.db.insertInto('organization_members').values(member).execute()
      const door = from(newAddress())
      await statuses(failures, () => signIn(door, wrong(user)))
      expect((await signIn(door, user)).status).toBe(429)
      const { body } = await (await openDoor(mesh.base, administrator))('POST', `/users/${row.id}/password`)
      expect((await signIn(door, { email: user.email, password: body.one_time_password })).status).toBe(200)
    })

    test('are forgotten with the first that succeeds, and only they count', async () => {
      const user = await newUser()
      const door = from(newAddress())
      for (let turn = 0; turn < 3; turn++) {
        expect(await statuses(failures - 1, () => signIn(door, wrong(user)))).toEqual(times(failures - 1, 401))
        expect((await signIn(door, user)).status).toBe(200)
      }
      const many = await Promise.all(times(40, user).map((credentials) => signIn(door, credentials)))
      expect(many.map(({ status }) => status)).toEqual(times(40, 200))
    })

    test('say the same of accounts that do not exist', async () => {
      const door = from(newAddress())
      const nobody = { email: `nobody-${++counter}@example.com`, password: 'x' }
      expect(await statuses(failures + 1, () => signIn(door, nobody))).toEqual([...times(failures, 401), 429])
    })

    test('of many accounts are held up by address; who has signed in from there before gets in', async () => {
      const regular = await newUser()
      const door = from(newAddress())
      expect((await signIn(door, regular)).status).toBe(200)
      const guess = () => signIn(door, { email: `guess-${++counter}@example.com`, password: 'x' })
      expect(await statuses(failures * 5, guess)).toEqual(times(failures * 5, 401))
      expect((await guess()).status).toBe(429)
      expect((await signIn(door, await newUser())).status).toBe(429)
      expect((await signIn(door, regular)).status).toBe(200)
    })

    test('of one account from everywhere are held up, except where its owner is known', async () => {
      const user = await newUser()
      const home = from(newAddress())
      expect((await signIn(home, user)).status).toBe(200)
      for (let turn = 0; turn < 10; turn++) await statuses(failures, () => signIn(from('198.51.100.1'), wrong(user)))
      for (let turn = 0; turn < 10; turn++) {
        const door = from(newAddress())
        await statuses(failures, () => signIn(door, wrong(user)))
      }
      expect((await signIn(from(newAddress()), user)).status).toBe(429)
      expect((await signIn(home, user)).status).toBe(200)
    })

    test('of an IPv6 network count together', async () => {
      const user = await newUser()
      let host = 1
      expect(await statuses(failures + 1, () => signIn(from(`2001:db8:0:1::${(host++).toString(16)}`), wrong(user)))).toEqual([
        ...times(failures, 401),
        429,
      ])
      expect((await signIn(from('2001:db8:0:2::1'), user)).status).toBe(200)
    })

    test('at the same time get no more guesses than one by one, but for those under way', async () => {
      const user = await newUser()
      const door = from(newAddress())
      const answers = await Promise.all(times(30, wrong(user)).map((credentials) => signIn(door, credentials)))
      expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(failures + 3)
      expect((await signIn(door, user)).status).toBe(429)
    })

    test('hold up the present password of a change too', async () => {
      const user = await newUser()
      const address = newAddress()
      const { body } = await signIn(from(address), user)
      const door = from(address, doorAt(mesh.base, body.access_token))
      const change = { current_password: 'wrong', new_password: 'another password' }
      expect(await statuses(failures + 1, () => door('POST', '/auth/password', { body: change }))).toEqual([...times(failures, 422), 429])
    })
  })

  describe('requests', () => {
    beforeAll(async () => {
      await using opening = new AsyncDisposableStack()
      const directory = opening.use(await scratch())
      const opened = opening.use(await store.open())
      const settings = ['--rate-limit', `${limit}`, '--trusted-proxies', '127.0.0.1', ...(await opened.settings())]
      // The minutes of the test begin when it says so.
      const start = Math.ceil(Date.now() / minute) * minute
      mesh = opening.use(await startTestMaster(directory.path, settings, { now: () => start + offset }))
      stack = opening.move()
    })

    afterAll(() => stack.disposeAsync())

    test('are limited by the minute for each user, wherever they come from, and headers say so', async () => {
      try {
        offset = minute
        const door = await openDoor(mesh.base, administrator)
        const first = await door('GET', '/auth/me')
        expect(Object.fromEntries(first.headers)).toMatchObject({
          'x-ratelimit-limit': `${limit}`,
          'x-ratelimit-remaining': `${limit - 1}`,
          'x-ratelimit-reset': '60',
          'ratelimit-limit': `${limit}`,
          'ratelimit-remaining': `${limit - 1}`,
          'ratelimit-reset': '60',
        })
        expect(await statuses(limit - 1, () => from(newAddress(), door)('GET', '/auth/me'))).toEqual(times(limit - 1, 200))
        offset += 20_000
        const refused = await door('GET', '/auth/me')
        expect([refused.status, refused.body.error.code, refused.headers.get('retry-after')]).toEqual([429, 'RATE_LIMITED', '40'])
        expect(refused.headers.get('x-ratelimit-remaining')).toBe('0')
        offset = 2 * minute
        expect((await door('GET', '/auth/me')).status).toBe(200)
      } finally {
        offset = 0
      }
    })

    test('before sign-in are limited by address, wrong tokens among them, and others go on', async () => {
      const door = from(newAddress())
      expect(await statuses(limit, () => door('GET', '/auth/me'))).toEqual(times(limit, 401))
      expect((await door('GET', '/auth/me')).status).toBe(429)
      expect((await signIn(door, administrator)).status).toBe(429)
      const { body } = await signIn(from(newAddress()), administrator)
      expect((await doorAt(mesh.base, body.access_token)('GET', '/auth/me', { headers: { 'x-forwarded-for': '192.0.2.1' } })).status).toBe(
        200,
      )
    })

    test('of an API token are its own', async () => {
      const door = from(newAddress(), await openDoor(mesh.base, await newUser()))
      const slug = `org-${++counter}`
      const organization_id = (await door('POST', '/organizations', { body: { name: slug, slug } })).body.id
      const { token } = (await door('POST', '/tokens', { body: { name: 'CI', organization_id, role: 'viewer' } })).body
      const script = doorAt(mesh.base, token)
      expect(await statuses(limit + 1, () => script('GET', '/organizations'))).toEqual([...times(limit, 200), 429])
      expect((await door('GET', '/organizations')).status).toBe(200)
    })
  })
})

describe('with several masters on one PostgreSQL', () => {
  test('requests are added up, and failed sign-ins hold everywhere', async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await stores[1]!.open())
    const start = Math.ceil(Date.now() / minute) * minute
    const settings = ['--rate-limit', `${limit}`, '--sign-in-failures', `${failures}`, '--trusted-proxies', '127.0.0.1']
    const database = await opened.settings()
    const now = () => start
    const one = opening.use(await startTestMaster(directory.path, [...settings, ...database], { now }))
    const two = opening.use(await startTestMaster(directory.path, [...settings, ...database], { now }))
    mesh = one

    const { token } = await newPerson(one.master.ctx, one.base, 'both@example.com')
    const doors = [one, two].map(({ base }) => doorAt(base, token))
    expect(await statuses(limit - 1, () => doors[0]!('GET', '/auth/me'))).toEqual(times(limit - 1, 200))
    // The first request there tells that master nothing about the others; the next round of adding up does.
    expect((await doors[1]!('GET', '/auth/me')).status).toBe(200)
    await until('the masters to have added up', async () => (await doors[1]!('GET', '/auth/me')).status === 429)

    const user = { email: 'both@example.com', password: 'the password of both@example.com' }
    const address = newAddress()
    await statuses(failures, () => signIn(from(address, doorAt(one.base, undefined)), wrong(user)))
    expect((await signIn(from(address, doorAt(two.base, undefined)), user)).status).toBe(429)
  })

  test('a key that one master has made is known to the other at once', async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await stores[1]!.open())
    const database = await opened.settings()
    let clock = Date.now()
    const one = opening.use(await startTestMaster(directory.path, database, { now: () => clock }))
    const two = opening.use(await startTestMaster(directory.path, database, { now: () => clock }))
    clock += 91 * 24 * 3_600_000
    expect(await one.master.ctx.tokens.rotate()).toMatchObject({ made: true })
    const door = await openDoor(one.base, administrator)
    expect((await door('GET', '/auth/me')).status).toBe(200)
    const { body } = await doorAt(one.base, undefined)('POST', '/auth/login', { body: administrator })
    expect((await doorAt(two.base, body.access_token)('GET', '/auth/me')).status).toBe(200)
  })
})
