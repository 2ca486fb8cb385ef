import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { earliest } from '@nxmesh/api/events'
import { routes } from '@nxmesh/api/routes'
import { accessToken, startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { transaction } from '../../src/db/transaction.ts'
import { deleteOldEvents } from '../../src/events/log.ts'
import { tell } from '../../src/events/outbox.ts'
import { type Listening, listen, listenWith } from './listening.ts'

describe.each(stores)('how events are delivered, on $name', (store) => {
  let stack: AsyncDisposableStack
  let directory: string
  let settings: string[]
  let master: TestMaster
  let token: string
  const logged: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void logged.push(line) })

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    directory = join(opening.use(await scratch()).path, 'master')
    const opened = opening.use(await store.open())
    settings = await opened.settings()
    master = await start()
    stack = opening.move()
  })

  afterAll(async () => {
    await master[Symbol.asyncDispose]()
    await stack.disposeAsync()
  })

  async function start() {
    const started = await startTestMaster(directory, settings, { log, listeners: { pingEvery: 2000, drainWithin: 300 } })
    token = await accessToken(started.base)
    return started
  }

  const newUpstream = (name: string) =>
    master.client.call(routes.createUpstream, {
      params: { workspace_id: master.workspaceId },
      body: { name, servers: [{ address: '127.0.0.1:9' }] },
    })
  const namesOf = ({ events }: Listening) => events.filter(({ type }) => type === 'upstream.created').map(({ data }) => data['name'])
  // Much to read, as one change of many objects would make it.
  const flood = (count: number) =>
    transaction(master.master.ctx, async (tx) => {
      for (let index = 0; index < count; index++) {
        const name = `${index} ${'x'.repeat(4000)}`
        tell(master.master.ctx, tx, master.workspaceId, 'upstream.deleted', { upstream_id: randomUUID(), name, version: 1 })
      }
    })

  async function open(query: Record<string, string> = {}) {
    const socket = new WebSocket(
      `${master.base.replace('http', 'ws')}/v1/events?${new URLSearchParams({ token, ...query }).toString()}`,
      {},
    )
    const closed = new Promise<{ code: number; reason: string }>((resolve) =>
      socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    )
    await new Promise((resolve) => socket.once('open', resolve))
    return { socket, closed }
  }

  test('nothing is told of a transaction that was rolled back, and no number is lost by it', async () => {
    await using events = await listenWith(master.base, token)
    const { ctx } = master.master
    const data = { agent_id: randomUUID() }
    const failed = transaction(ctx, async (tx) => {
      tell(ctx, tx, master.workspaceId, 'agent.online', data)
      throw new Error('no')
    })
    await expect(failed).rejects.toThrow('no')
    const params = { workspace_id: master.workspaceId }
    const refused = master.client.call(routes.createVirtualHost, {
      params,
      body: { name: 'Bad', server_name: 'bad.test', listen_port: 80, ssl_enabled: true },
    })
    await expect(refused).rejects.toMatchObject({ code: 'VALIDATION_ERROR' })
    await newUpstream('committed')
    await events.next('revision.created')
    expect(events.events.map(({ type }) => type)).toEqual(['upstream.created', 'revision.created'])
    const rows = await ctx.db.selectFrom('events').select('seq').orderBy('seq').execute()
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1))
  })

  test('a change under an Idempotency-Key is told once', async () => {
    await using events = await listenWith(master.base, token)
    for (let attempt = 0; attempt < 2; attempt++) {
      await fetch(`${master.base}/v1/workspaces/${master.workspaceId}/upstreams`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json', 'idempotency-key': 'once' },
        body: JSON.stringify({ name: 'keyed', servers: [{ address: '127.0.0.1:9' }] }),
      })
    }
    await newUpstream('after')
    await events.next('upstream.created', { name: 'after' })
    expect(namesOf(events)).toEqual(['keyed', 'after'])
  })

  test('who does not read is cut off, and the others are not held up', async () => {
    await using events = await listenWith(master.base, token)
    const { socket, closed } = await open()
    await flood(6000)
    socket.pause()
    await until('the reader to have it all', () => events.events.length === 6000)
    await until('it to be dismissed', () => logged.some((line) => line.includes('"code":1013')))
    socket.resume()
    expect(await closed).toEqual({ code: 1013, reason: 'what is sent is not read' })
    await newUpstream('after the flood')
    await events.next('upstream.created', { name: 'after the flood' })
  })

  test('who asks for history and does not read it is cut off too', async () => {
    const dismissed = () => logged.filter((line) => line.includes('"code":1013')).length
    const before = dismissed()
    const { socket, closed } = await open({ last_event_id: earliest })
    socket.pause()
    await until('it to be dismissed', () => dismissed() > before)
    socket.resume()
    expect((await closed).code).toBe(1013)
  })

  test('who does not answer pings is gone', async () => {
    const socket = new WebSocket(`${master.base.replace('http', 'ws')}/v1/events?token=${token}`, { autoPong: false })
    const code = await new Promise<number>((resolve) => socket.once('close', resolve))
    expect(code).toBe(1006)
    await using answering = await listenWith(master.base, token)
    let pings = 0
    answering.socket.on('ping', () => pings++)
    await until('some pings', () => pings >= 3)
    expect(answering.socket.readyState).toBe(WebSocket.OPEN)
  })

  test('a stop says goodbye with 1001, and whoever comes back with the last event misses nothing', async () => {
    await using before = await listenWith(master.base, token)
    await newUpstream('before the stop')
    const last = await before.next('upstream.created', { name: 'before the stop' })
    await master[Symbol.asyncDispose]()
    expect(await before.closed).toEqual({ code: 1001, reason: 'the master is stopping' })

    master = await start()
    await newUpstream('after the start')
    await using after = await listenWith(master.base, token, { last_event_id: last.id })
    await newUpstream('live')
    await after.next('upstream.created', { name: 'live' })
    const types = ['revision.created', 'upstream.created', 'revision.created', 'upstream.created']
    expect(after.events.slice(0, 4).map(({ type }) => type)).toEqual(types)
    expect(namesOf(after)).toEqual(['after the start', 'live'])
  })

  test('many who resume while changes go on, each get every event once and in order', async () => {
    await newUpstream('base')
    await using watching = await listenWith(master.base, token)
    await newUpstream('start')
    const { id } = await watching.next('upstream.created', { name: 'start' })
    const work = (async () => {
      for (let index = 0; index < 60; index++) await newUpstream(`going on ${index}`)
    })()
    await using open = new AsyncDisposableStack()
    const resumed: Listening[] = []
    for (let index = 0; index < 20; index++) resumed.push(open.use(await listenWith(master.base, token, { last_event_id: id })))
    await work
    const wanted = Array.from({ length: 60 }, (_, index) => `going on ${index}`)
    for (const events of resumed) {
      await events.next('upstream.created', { name: 'going on 59' })
      expect(namesOf(events)).toEqual(wanted)
    }
  })

  test('a subscription in the first message goes on where the address said', async () => {
    await using watching = await listenWith(master.base, token)
    await newUpstream('mark')
    const { id } = await watching.next('upstream.created', { name: 'mark' })
    await flood(500)
    await newUpstream('marked')
    await using events = await listen(master.base, { query: { token, last_event_id: id } })
    await events.ask({ action: 'subscribe', events: ['upstream.*'] })
    await newUpstream('last')
    await events.next('upstream.created', { name: 'last' })
    expect(namesOf(events)).toEqual(['marked', 'last'])
    expect(events.events.filter(({ type }) => type === 'upstream.deleted')).toHaveLength(500)
  })

  test('history has an end: by number and by age, never the newest, and a cursor before it is told so', async () => {
    await using watching = await listenWith(master.base, token)
    await newUpstream('old')
    const old = await watching.next('revision.created')
    for (const name of ['new 1', 'new 2', 'new 3']) await newUpstream(name)
    await watching.next('upstream.created', { name: 'new 3' })
    const { ctx } = master.master
    expect(await deleteOldEvents(ctx, 4)).toBeGreaterThan(0)
    expect(await deleteOldEvents(ctx, 4)).toBe(0)

    await using late = await listenWith(master.base, token, { last_event_id: old.id })
    expect(await late.closed).toEqual({ code: 4410, reason: 'the events asked for are no longer kept' })
    expect(late.answers).toMatchObject([{ type: 'error', error: { code: 'NOT_FOUND', details: [{ field: 'last_event_id' }] } }])
    expect(late.events).toEqual([])

    await using all = await listenWith(master.base, token, { last_event_id: earliest })
    await newUpstream('newest')
    await all.next('upstream.created', { name: 'newest' })
    expect(namesOf(all)).toEqual(['new 2', 'new 3', 'newest'])

    const later = { ...ctx, now: () => Date.now() + 8 * 24 * 3_600_000 }
    await deleteOldEvents(later)
    expect(await ctx.db.selectFrom('events').select('type').where('seq', '>', 0).execute()).toEqual([{ type: 'revision.created' }])
    await using again = await listenWith(master.base, token, { last_event_id: earliest })
    await newUpstream('afterwards')
    await again.next('upstream.created', { name: 'afterwards' })
  })

  test('no query of it reads a whole table', async () => {
    const { db } = master.master.ctx
    expect((await unindexed(db, master.queries)).filter((found) => /event/.test(found))).toEqual([])
  })
})
