import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import type { ErrorBody } from '@nxmesh/api/errors'
import { routes } from '@nxmesh/api/routes'
import { accessToken, administrator, signIn, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { newPerson } from '@nxmesh/testkit/people'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { listen, listenWith, refusal } from './listening.ts'

describe.each(stores)('who is told what, on $name', (store) => {
  let stack: AsyncDisposableStack
  let master: TestMaster
  let token: string
  const clock = { offset: 0 }
  const logged: string[] = []

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    const log = pino({ level: 'trace' }, { write: (line: string) => void logged.push(line) })
    const overrides = { now: () => Date.now() + clock.offset, log, listeners: { mostSockets: 12 } }
    master = opening.use(await startTestMaster(join(directory, 'master'), await opened.settings(), overrides))
    token = await accessToken(master.base)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const newUpstream = (name: string, workspaceId = master.workspaceId) =>
    master.client.call(routes.createUpstream, {
      params: { workspace_id: workspaceId },
      body: { name, servers: [{ address: '127.0.0.1:9' }] },
    })
  const newWorkspace = async (slug: string) =>
    (
      await master.client.call(routes.createWorkspace, {
        params: { organization_id: master.organizationId },
        body: { name: slug, slug },
      })
    ).id
  const apiToken = (body: object) =>
    master.client.call(routes.createApiToken, {
      body: {
        organization_id: master.organizationId,
        role: 'viewer',
        expires_in_days: 1,
        name: `token ${Math.random()}`,
        ...body,
      } as never,
    })

  test.each([
    ['in the address', () => ({ query: { token } })],
    ['as a header', () => ({ headers: { authorization: `Bearer ${token}` } })],
    ['as a protocol', () => ({ protocols: ['nxmesh', `bearer.${token}`] })],
  ])('the access token is taken %s', async (name, way) => {
    await using events = await listen(master.base, way())
    expect(events.socket.protocol).toBe('protocols' in way() ? 'nxmesh' : '')
    await newUpstream(name)
    await events.next('upstream.created', { name })
  })

  test('the cookie of a session is taken from pages of this master alone', async () => {
    const { email, password } = await newPerson(master.master.ctx, master.base, 'cookie@example.com', {
      workspace: { id: master.workspaceId, role: 'viewer' },
    })
    const signedIn = await fetch(`${master.base}/v1/auth/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-nxmesh-session': '1' },
      body: JSON.stringify({ email, password }),
    })
    const cookie = signedIn.headers.getSetCookie()[0]!.split(';')[0]!
    {
      await using events = await listen(master.base, { headers: { cookie, origin: master.base } })
      await newUpstream('by cookie')
      await events.next('upstream.created', { name: 'by cookie' })
      await fetch(`${master.base}/v1/auth/session`, { method: 'DELETE', headers: { cookie, 'x-nxmesh-session': '1' } })
      expect(await events.closed).toEqual({ code: 4401, reason: 'the session or the API token has ended' })
    }
    const again = await fetch(`${master.base}/v1/auth/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-nxmesh-session': '1' },
      body: JSON.stringify({ email, password }),
    })
    const other = again.headers.getSetCookie()[0]!.split(';')[0]!
    for (const origin of [undefined, 'https://evil.example', 'null']) {
      const refused = await refusal(master.base, { headers: { cookie: other, ...(origin && { origin }) } })
      expect([refused.status, refused.body.error.code], String(origin)).toEqual([403, 'FORBIDDEN'])
    }
  })

  test('nobody listens without a good token, and the answer does not say it back', async () => {
    for (const way of [{}, { query: { token: 'nonsense' } }, { query: { token: `${token}x` } }, { query: { token: '' } }]) {
      const refused = await refusal(master.base, way)
      expect([refused.status, refused.body.error.code]).toEqual([401, 'UNAUTHORIZED'])
      expect(refused.text).not.toContain('nonsense')
    }
    const strange = await refusal(master.base, { query: { token, since: '1' } })
    expect([strange.status, strange.body.error.details[0].field]).toEqual([422, 'since'])
    const plain = await fetch(`${master.base}/v1/events?token=${token}`)
    expect([plain.status, ((await plain.json()) as ErrorBody).error.details[0]?.field]).toEqual([422, 'Upgrade'])
  })

  test('a request that asks for another upgrade is answered as if it had not, with its body', async () => {
    const { host } = new URL(master.base)
    const body = JSON.stringify(administrator)
    const headers = {
      host,
      'content-type': 'application/json',
      connection: 'Upgrade, HTTP2-Settings',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABk',
    }
    const sent = request(`${master.base}/v1/auth/login`, { method: 'POST', headers: { ...headers, 'content-length': body.length } })
    sent.end(body)
    const [answer] = (await once(sent, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(200)
    answer.resume()
  })

  test('a token in the address reaches no log', async () => {
    await using events = await listenWith(master.base, token)
    await refusal(master.base, { query: { token: `${token}x` } })
    events.socket.send('{')
    await until('an answer', () => events.answers.length === 1)
    expect(logged.filter((line) => line.includes(token.slice(0, 40)) || line.includes(token.slice(-40)))).toEqual([])
  })

  test('tenants hear nothing of each other, and subscribing to the other is as to nothing', async () => {
    const other = await newWorkspace(`tenant-${store.name.toLowerCase()}`)
    const [a, b] = await Promise.all(
      [master.workspaceId, other].map((id, index) =>
        newPerson(master.master.ctx, master.base, `tenant-${index}@example.com`, { workspace: { id, role: 'viewer' } }),
      ),
    )
    await using one = await listenWith(master.base, a!.token)
    await using two = await listenWith(master.base, b!.token)
    const { agent_id } = await master.client.call(routes.createAgentToken, { params: { workspace_id: other }, body: { name: 'theirs' } })
    await two.next('agent.created', { agent_id })
    for (const filter of [{ workspace_id: other }, { agent_id }]) {
      expect(await one.ask({ action: 'subscribe', filter })).toMatchObject({ type: 'error', error: { code: 'NOT_FOUND' } })
    }
    const cursor = two.events.at(-1)!.id
    expect(await one.ask({ action: 'subscribe', after: cursor })).toMatchObject({ type: 'subscribed' })
    expect(await two.ask({ action: 'subscribe', after: 'earliest' })).toMatchObject({ type: 'subscribed' })
    await newUpstream('for one')
    await newUpstream('for two', other)
    await one.next('upstream.created', { name: 'for one' })
    await two.next('upstream.created', { name: 'for two' })
    expect(new Set(one.events.map(({ workspace_id }) => workspace_id))).toEqual(new Set([master.workspaceId]))
    expect(new Set(two.events.map(({ workspace_id }) => workspace_id))).toEqual(new Set([other]))
  })

  test('a role that is taken away is worth nothing with the next event, one that is given something', async () => {
    const person = await newPerson(master.master.ctx, master.base, 'leaving@example.com', {
      workspace: { id: master.workspaceId, role: 'viewer' },
    })
    const joined = await newWorkspace(`joined-${store.name.toLowerCase()}`)
    await using events = await listenWith(master.base, person.token)
    await newUpstream('seen')
    await events.next('upstream.created', { name: 'seen' })
    await master.client.call(routes.removeWorkspaceMember, { params: { workspace_id: master.workspaceId, user_id: person.id } })
    await newUpstream('unseen')
    const { db } = master.master.ctx
    await db.insertInto('workspace_members').values({ workspace_id: joined, user_id: person.id, role: 'viewer' }).execute()
    await newUpstream('new', joined)
    await events.next('upstream.created', { name: 'new' })
    expect(events.events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['name'])).toEqual(['seen', 'new'])
  })

  test('an API token hears the workspace it is for, until it is revoked', async () => {
    const other = await newWorkspace(`scoped-${store.name.toLowerCase()}`)
    const { token: scoped, api_token } = (await apiToken({ workspace_id: other })) as { token: string; api_token?: { id: string } }
    await using events = await listenWith(master.base, scoped)
    await newUpstream('elsewhere')
    await newUpstream('within', other)
    await events.next('upstream.created', { name: 'within' })
    expect(new Set(events.events.map(({ workspace_id }) => workspace_id))).toEqual(new Set([other]))
    const tokens = await master.client.call(routes.listApiTokens, { query: { per_page: '100' } })
    const id = api_token?.id ?? tokens.data.find((found) => scoped.startsWith(found.prefix))!.id
    await master.client.call(routes.deleteApiToken, { params: { token_id: id } })
    expect(await events.closed).toEqual({ code: 4401, reason: 'the session or the API token has ended' })
  })

  test('a session that ends, ends its sockets', async () => {
    const person = await newPerson(master.master.ctx, master.base, 'signing-out@example.com')
    await using events = await listenWith(master.base, person.token)
    await person.client.call(routes.logout, {})
    expect(await events.closed).toEqual({ code: 4401, reason: 'the session or the API token has ended' })
  })

  test('a one-time password does not open the feed', async () => {
    const { db } = master.master.ctx
    const person = await newPerson(master.master.ctx, master.base, 'one-time@example.com')
    await db
      .updateTable('users')
      .set({ password_expires_at: new Date(Date.now() + 3_600_000).toISOString() })
      .where('id', '=', person.id)
      .execute()
    expect((await refusal(master.base, { query: { token: person.token } })).status).toBe(403)
  })

  test('a principal has a bounded number of sockets', async () => {
    const person = await newPerson(master.master.ctx, master.base, 'greedy@example.com')
    await using open = new AsyncDisposableStack()
    const asked = await Promise.allSettled(Array.from({ length: 100 }, () => listenWith(master.base, person.token)))
    const opened = asked.flatMap((one) => (one.status === 'fulfilled' ? [open.use(one.value)] : []))
    expect(opened).toHaveLength(12)
    const refused = await refusal(master.base, { query: { token: person.token } })
    expect([refused.status, refused.body.error.code]).toEqual([429, 'RATE_LIMITED'])
    opened[0]!.socket.close()
    await opened[0]!.closed
    open.use(await until('there is a place again', () => listenWith(master.base, person.token).catch(() => undefined)))
  })

  test('clients that leave during the handshake take no place with them', async () => {
    const person = await newPerson(master.master.ctx, master.base, 'hasty@example.com')
    const { host, hostname, port } = new URL(master.base)
    const head = `GET /v1/events?token=${person.token} HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`
    const asked = `${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${Buffer.alloc(16).toString('base64')}\r\n\r\n`
    const gone = Array.from({ length: 200 }, async (_, turns) => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined)
      await once(socket, 'connect')
      socket.write(asked)
      // So that they leave at every point of it.
      for (let turn = 0; turn < turns % 40; turn++) await setImmediate()
      // One that the master refused may be gone by then.
      if (socket.closed) return
      socket.resetAndDestroy()
      await once(socket, 'close')
    })
    await Promise.all(gone)
    await using open = new AsyncDisposableStack()
    for (let count = 0; count < 12; count++)
      open.use(await until('a place', () => listenWith(master.base, person.token).catch(() => undefined)))
  })

  test('an access token that expires ends its socket', async () => {
    const mine = await accessToken(master.base)
    await using events = await listenWith(master.base, mine)
    try {
      clock.offset = 1_800_000
      const later = await signIn(master.base)
      clock.offset = 3_590_000
      const body = { name: 'before', servers: [{ address: '127.0.0.1:9' }] }
      await later.call(routes.createUpstream, { params: { workspace_id: master.workspaceId }, body })
      await events.next('upstream.created', { name: 'before' })
      clock.offset = 3_601_000
      expect(await events.closed).toEqual({ code: 4401, reason: 'the access token has expired' })
    } finally {
      clock.offset = 0
    }
  })
})

test('opening a socket counts as a request', async () => {
  await using directory = await scratch()
  await using master = await startTestMaster(join(directory.path, 'master'), ['--rate-limit', '10'], { now: () => 1_800_000_000_000 })
  const token = await accessToken(master.base)
  await using open = new AsyncDisposableStack()
  const statuses: number[] = []
  while (statuses.length === 0) {
    const opened = await listenWith(master.base, token).catch(() => undefined)
    if (opened) open.use(opened)
    else statuses.push((await refusal(master.base, { query: { token } })).status)
  }
  expect(statuses).toEqual([429])
})
