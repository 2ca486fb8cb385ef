import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { routes } from '@nxmesh/api/routes'
import { until } from '@nxmesh/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { counted, endStore, nanoseconds, openStage, type Stage, send, start } from './otlp/stage.ts'
import { connectTelemetryAgent, gauge, line, newTelemetryAgent, requestsOf } from './telemetry-agent.ts'

let stage: Stage

beforeEach(async () => {
  stage = await openStage()
})

afterEach(() => stage.end())

test('a receiver that is not there yet gets everything once it is', async () => {
  const { port } = stage.receiver
  await stage.receiver[Symbol.asyncDispose]()
  const { place, agent } = await stage.withAgent(['--otlp-endpoint', `http://127.0.0.1:${port}/`, '--otlp-signals', 'logs'])
  await send(agent, 'one', 'two')
  await until('the failure to be told', () => place.statusOf('logs')?.failing)
  expect(place.statusOf('logs')).toMatchObject({ exported: 0, failing: { reason: expect.stringContaining('ECONNREFUSED') } })
  await send(agent, 'three')
  await endStore(place)
  await stage.receive(port)
  await stage.arrive(3)
  expect(stage.ids()).toEqual(['one', 'two', 'three'])
  await counted(place, 3)
  expect(place.statusOf('metrics')).toBeUndefined()
})

test('what is answered 503 or 429 is sent again, not before the receiver wants it', async () => {
  const times: number[] = []
  stage.receiver.behave(() => {
    times.push(performance.now())
    if (times.length === 1) return { status: 503 }
    return times.length === 2 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 200 }
  })
  const { agent } = await stage.withAgent()
  await send(agent, 'again')
  await stage.arrive(1)
  expect(stage.ids()).toEqual(['again'])
  expect(times[2]! - times[1]!).toBeGreaterThan(1900)
})

test.each([400, 500])('what is answered %i is dropped and counted, and the export goes on', async (status) => {
  stage.receiver.behave(({ logs }) =>
    logs.length > 0 && logs[0]!.attributes['nxmesh.request_id'] === 'bad' ? { status, message: 'no\nthanks' } : { status: 200 },
  )
  const { place, agent } = await stage.withAgent()
  await send(agent, 'bad')
  await until('it to be refused', () => place.statusOf('logs')?.refused === 1)
  await send(agent, 'good')
  await stage.arrive(1)
  expect(stage.ids()).toEqual(['good'])
  await counted(place, 1, 1)
})

test.each([401, 404])('what is answered %i waits until the receiver or its address is mended', async (status) => {
  stage.receiver.behave({ status, message: 'who are you?' })
  const { place, agent } = await stage.withAgent()
  await send(agent, 'kept')
  const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing)
  expect(reason).toBe(`${status} who are you?`)
  stage.receiver.behave({ status: 200 })
  await stage.arrive(1)
  expect(stage.ids()).toEqual(['kept'])
})

test('what the receiver took only in part is counted as refused', async () => {
  stage.receiver.behave({ status: 200, partial: { partialSuccess: { rejectedLogRecords: 2n, errorMessage: 'too old' } } })
  const { place, agent } = await stage.withAgent()
  await send(agent, 'one', 'two', 'three')
  await counted(place, 1, 2)
  expect(stage.ids()).toEqual(['one', 'two', 'three'])
})

test('requests become smaller for a receiver that wants no large ones', async () => {
  stage.receiver.behave(({ logs }) => ({ status: logs.length > 3 ? 413 : 200 }))
  const { place, agent } = await stage.withAgent()
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
  await send(agent, ...names)
  await stage.arrive(40)
  expect(stage.ids()).toEqual(names)
  await counted(place, 40)
})

test('while the receiver hangs, lines are taken and questions answered, and the memory does not fill', async () => {
  stage.receiver.behave('hang')
  const { place, agent } = await stage.withAgent()
  await send(agent, 'first')
  await until('a request that hangs', () => stage.receiver.requests.length > 0)
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`)
  for (let round = 0; round < 30; round++) await send(agent, ...names)
  const query = { from: '2026-03-01T00:00:00Z' }
  const { meta } = await place.client.call(routes.listAccessLogs, { params: { workspace_id: place.workspaceId }, query })
  expect(meta.total).toBe(3001)
  expect(new Set(stage.receiver.requests.flatMap(({ logs }) => logs.map(({ attributes }) => attributes['nxmesh.request_id'])))).toEqual(
    new Set(['first']),
  )
  const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing, 40)
  expect(reason).toBe('no answer within 10 s')
  stage.receiver.behave({ status: 200 })
  await stage.arrive(3001)
  expect(stage.receiver.logs).toHaveLength(3001)
  expect(Math.max(...stage.receiver.requests.map(({ logs }) => logs.length))).toBeLessThanOrEqual(2000)
}, 90_000)

test('long lines make smaller requests', async () => {
  const { agent } = await stage.withAgent(['--otlp-endpoint', stage.receiver.url, '--otlp-compression', 'none'])
  const entries = Array.from({ length: 300 }, (_, index) => line(start, { request_id: `n${index}`, user_agent: 'u'.repeat(8000) }))
  for (let part = 0; part < 3; part++) await agent.logs({ entries: entries.slice(100 * part, 100 * (part + 1)) })
  await stage.arrive(300)
  expect(new Set(stage.ids()).size).toBe(300)
  for (const { bytes } of stage.receiver.requests) expect(bytes).toBeLessThan(1_200_000)
})

test('addresses of signals, headers and no compression are as the settings say', async () => {
  const settings = ['--otlp-logs-endpoint', `${stage.receiver.url}/own/v1/logs`, '--otlp-endpoint', `${stage.receiver.url}/base/?tenant=1`]
  const headers = 'Authorization=Bearer%20s3cret, X-Scope = a'
  const { place, agent } = await stage.withAgent([...settings, '--otlp-headers', headers, '--otlp-compression', 'none'])
  await send(agent, 'one')
  await agent.metrics({ metrics: [gauge(start, 'nginx_up', 1)] })
  await until('both to arrive', () => stage.receiver.logs.length > 0 && stage.receiver.points.length > 0)
  expect(new Set(stage.receiver.requests.map(({ path }) => path))).toEqual(new Set(['/own/v1/logs', '/base/v1/metrics?tenant=1']))
  expect(stage.receiver.requests[0]!.headers).toMatchObject({ authorization: 'Bearer s3cret', 'x-scope': 'a' })
  expect(stage.receiver.requests[0]!.headers['content-encoding']).toBeUndefined()
  // Whoever may list processes learns nothing of it.
  expect(await readFile(`/proc/${place.telemetry.status().pid}/cmdline`, 'utf8')).not.toContain('s3cret')
})

test('a receiver with a certificate of a private CA is trusted where that is named', async () => {
  let identity: { id: string; token: string }
  const ca = join(stage.directory, 'receiver-ca.pem')
  {
    await using place = await stage.startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    const certificate = await place.master.ctx.authority.serverCertificate(['127.0.0.1'])
    await stage.receive(0, certificate)
    await writeFile(ca, place.caPem)
  }
  {
    await using place = await stage.startPlace()
    using agent = await connectTelemetryAgent(place, identity)
    await send(agent, 'one')
    const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing)
    expect(reason).toMatch(/certificate/)
    expect(stage.receiver.requests).toEqual([])
  }
  await using place = await stage.startPlace(['--otlp-endpoint', stage.receiver.url, '--otlp-ca-file', ca])
  await stage.arrive(1)
  await counted(place, 1)
  expect(stage.ids()).toEqual(['one'])
})

test('the export begins with what comes after it was set up, and goes on where it was', async () => {
  let identity: { id: string; token: string }
  {
    await using place = await stage.startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await send(agent, 'before')
  }
  for (const names of [['one'], ['two', 'three']]) {
    await using place = await stage.startPlace()
    using agent = await connectTelemetryAgent(place, identity)
    await send(agent, ...names)
    await until('them to arrive', () => names.every((name) => stage.ids().includes(name)))
    await counted(place, stage.receiver.logs.length)
  }
  expect(stage.ids()).toEqual(['one', 'two', 'three'])
})

test('what the store lets go before it was exported is counted', async () => {
  const files = join(stage.directory, 'telemetry')
  const { port } = stage.receiver
  await stage.receiver[Symbol.asyncDispose]()
  const settings = ['--otlp-endpoint', `http://127.0.0.1:${port}`]
  let identity: { id: string; token: string }
  {
    await using place = await stage.startPlace(settings)
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await send(agent, 'one', 'two', 'three')
  }
  const today = (await readdir(files)).find((name) => name.endsWith('.duckdb'))!
  // As if it had been written in another time.
  await rename(join(files, today), join(files, '2026-01-01.duckdb'))
  await stage.receive(port)
  await using place = await stage.startPlace(settings)
  using agent = await connectTelemetryAgent(place, identity)
  await send(agent, 'four')
  await endStore(place)
  await until('the file to be gone', async () => !(await readdir(files)).includes('2026-01-01.duckdb'))
  await until('the rest to be exported', () => place.statusOf('logs')?.exported === 1)
  expect(stage.ids()).toEqual(['four'])
  expect(place.statusOf('logs')).toEqual({ exported: 1, refused: 0, skipped: 3, failing: undefined })
})

test('files of a version that did not know when counters began are read and added to', async () => {
  let identity: { id: string; token: string }
  {
    await using place = await stage.startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await agent.metrics({ spool: 'a', sequence: 1n, metrics: [requestsOf(start, 5)] })
  }
  const today = new Date().toISOString().slice(0, 10)
  const instance = await DuckDBInstance.create(join(stage.directory, 'telemetry', `${today}.duckdb`))
  const connection = await instance.connect()
  for (const table of ['samples', 'counters']) await connection.run(`ALTER TABLE ${table} DROP COLUMN began`)
  connection.closeSync()
  instance.closeSync()
  await using place = await stage.startPlace()
  using agent = await connectTelemetryAgent(place, identity)
  await agent.metrics({ spool: 'a', sequence: 2n, metrics: [requestsOf(start + 10_000, 7)] })
  await until('a point', () => stage.receiver.points.length > 0)
  expect(stage.receiver.points[0]!.point).toMatchObject({ value: { value: 7 }, startTimeUnixNano: nanoseconds(start) })
  const params = { agent_id: agent.id }
  const query = { from: '2026-03-01T00:00:05Z', to: '2026-03-02T00:00:00Z' }
  expect(await place.client.call(routes.getAgentMetrics, { params, query })).toMatchObject({ requests_total: 2 })
})
