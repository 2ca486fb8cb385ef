import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { routes } from '@nxmesh/api/routes'
import { MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Receiver, startReceiver } from './otlp/receiver.ts'
import { connectTelemetryAgent, gauge, line, newTelemetryAgent, requestsOf, type TelemetryAgent } from './telemetry-agent.ts'

const start = Date.parse('2026-03-01T00:00:00Z')
const nanoseconds = (time: number) => BigInt(time) * 1_000_000n

let stack: AsyncDisposableStack
let directory: string
let receiver: Receiver

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  directory = stack.use(await scratch()).path
  receiver = stack.use(await startReceiver())
})

afterEach(async () => {
  expect(receiver.problems).toEqual([])
  await stack.disposeAsync()
})

type Place = Awaited<ReturnType<typeof startPlace>>

async function startPlace(settings: string[] = ['--otlp-endpoint', receiver.url]) {
  const mesh = await startTestMaster(directory, settings)
  const { client, master, workspaceId } = mesh
  const { telemetry, authority } = master.ctx
  return {
    ...mesh,
    port: master.agents.port,
    caPem: authority.caPem,
    client,
    workspaceId,
    statusOf: (signal: 'logs' | 'metrics') => telemetry.status().exports[signal],
    telemetry,
  }
}

const ids = () => receiver.logs.map(({ attributes }) => attributes['nxmesh.request_id'])
const named = (...names: string[]) => names.map((request_id, index) => line(start + index, { request_id }))
const arrive = (count: number) => until(`${count} records to arrive`, () => receiver.logs.length >= count)

/** Kills the process of the store and waits for the next one. */
async function endStore({ telemetry }: Place): Promise<void> {
  const { pid, restarts } = telemetry.status()
  process.kill(pid!, 'SIGKILL')
  await until('the store to be back', () => telemetry.status().restarts > restarts && telemetry.status().state === 'ready')
}

/** Waits until so many rows are counted, with nothing that fails. */
async function counted(place: Place, exported: number, refused = 0): Promise<void> {
  await until(`${exported} to be counted`, () => place.statusOf('logs')?.exported === exported)
  expect(place.statusOf('logs')).toEqual({ exported, refused, skipped: 0, failing: undefined })
}

/** Sends lines in a batch of their own. */
async function send(agent: TelemetryAgent, ...names: string[]): Promise<void> {
  expect(await agent.logs({ entries: named(...names) })).toMatchObject({ success: true })
}

async function withAgent(settings?: string[]): Promise<{ place: Place; agent: TelemetryAgent }> {
  const place = stack.use(await startPlace(settings))
  return { place, agent: stack.use(await newTelemetryAgent(place, 'web-server-01')) }
}

test('a line of a log becomes a log record with the attributes of the semantic conventions', async () => {
  const { place, agent } = await withAgent()
  const entries = [
    line(start, {
      uri: '/api/é?a=1&b=?',
      request_id: 'all',
      request_bytes: '77',
      bytes_sent: '300',
      virtual_host: 'v',
      upstream_addr: '10.0.0.1:80',
      upstream_status: '500',
    }),
    {
      timestamp: BigInt(start + 1),
      level: 'access',
      message: '',
      fields: { method: 'BREW', uri: '*', protocol: 'HTTP/2.0', status: '405' },
    },
    { timestamp: BigInt(start + 2), level: 'crit', message: 'connect() failed\n(111)', fields: { log: 'error' } },
  ]
  await agent.logs({ entries })
  await arrive(3)
  const [all, odd, error] = receiver.logs.toSorted((a, b) => Number(a.record.timeUnixNano - b.record.timeUnixNano))
  expect(all).toMatchObject({
    resource: {
      'service.name': 'nginx',
      'service.instance.id': agent.id,
      'nxmesh.agent.id': agent.id,
      'nxmesh.agent.name': 'web-server-01',
      'nxmesh.workspace.id': place.workspaceId,
    },
    body: 'GET /api/é?a=1&b=? HTTP/1.1',
    record: { timeUnixNano: nanoseconds(start), severityNumber: 9, severityText: 'INFO' },
  })
  const listed = await place.client.call(routes.listAccessLogs, {
    params: { workspace_id: place.workspaceId },
    query: { from: '2026-03-01T00:00:00Z', request_id: 'all' },
  })
  expect(all!.attributes).toEqual({
    'log.record.uid': listed.data[0]!.id,
    'nxmesh.log': 'access',
    'http.request.method': 'GET',
    'url.path': '/api/é',
    'url.query': 'a=1&b=?',
    'http.response.status_code': 500,
    'client.address': '192.168.1.100',
    'server.address': 'api.example.com',
    'user_agent.original': 'Mozilla/5.0...',
    'http.request.header.referer': ['https://example.com/'],
    'network.protocol.name': 'http',
    'network.protocol.version': '1.1',
    'http.request.size': 77,
    'http.response.size': 300,
    'http.response.body.size': 123,
    'nxmesh.request_id': 'all',
    'nxmesh.response_time_ms': 150.5,
    'nxmesh.virtual_host_id': 'v',
    'nxmesh.upstream_addr': '10.0.0.1:80',
    'nxmesh.upstream_status': '500',
  })
  const received = Number(all!.record.observedTimeUnixNano / 1_000_000n)
  expect(Math.abs(Date.now() - received)).toBeLessThan(60_000)
  expect(odd!.attributes).toMatchObject({
    'http.request.method': '_OTHER',
    'http.request.method_original': 'BREW',
    'url.path': '*',
    'network.protocol.version': '2',
    'http.response.status_code': 405,
  })
  expect(error).toMatchObject({
    body: 'connect() failed\n(111)',
    attributes: { 'nxmesh.log': 'error' },
    record: { severityNumber: 18, severityText: 'crit', timeUnixNano: nanoseconds(start + 2) },
  })
  await counted(place, 3)
})

test('counters are cumulative since they began, and begin anew with a spool and after they fell', async () => {
  const { place, agent } = await withAgent()
  const seen = (name: string) =>
    receiver.points
      .filter(({ metric }) => metric.name === name)
      .map(({ point, attributes, metric }) => {
        const value = 'value' in point ? point.value.value : undefined
        const { startTimeUnixNano: began, timeUnixNano: time } = point
        return { ...attributes, value, began: Number(began / 1_000_000n), time: Number(time / 1_000_000n), data: metric.data.case }
      })
  const arrived = (count: number) => until(`${count} points`, () => seen('nginx_http_requests_total').length >= count)
  const at = (seconds: number) => start + seconds * 1000
  const batch = (spool: string, sequence: number, seconds: number, value: number, more: ReturnType<typeof requestsOf>[] = []) =>
    agent.metrics({
      spool,
      sequence: BigInt(sequence),
      metrics: [requestsOf(at(seconds), value), ...more, gauge(at(seconds), 'nginx_connections_active', value)],
    })
  await batch('a', 1, 0, 5)
  await batch('a', 2, 10, 9, [requestsOf(at(10), 2, { status_class: '5xx' })])
  await arrived(3)
  await until('them to be counted', () => place.statusOf('metrics')?.exported === 5)
  await endStore(place)
  await batch('a', 3, 20, 12)
  await batch('a', 4, 30, 1)
  await batch('a', 5, 40, 3)
  await batch('b', 1, 50, 2)
  await agent.metrics({ metrics: [requestsOf(at(60), 500)] })
  await agent.metrics({ metrics: [requestsOf(at(70), 501)] })
  await arrived(9)
  const began = start - 1
  const data = 'sum'
  const one = { status_class: '2xx', data }
  expect(seen('nginx_http_requests_total').toSorted((a, b) => (a.time - b.time || b.value! < a.value! ? 1 : -1))).toEqual(
    [
      { ...one, value: 5, began, time: at(0) },
      { ...one, value: 9, began, time: at(10) },
      { ...one, status_class: '5xx', value: 2, began, time: at(10) },
      { ...one, value: 12, began, time: at(20) },
      { ...one, value: 1, began: at(20), time: at(30) },
      { ...one, value: 3, began: at(20), time: at(40) },
      { ...one, value: 2, began: at(50) - 1, time: at(50) },
      // What was there before anybody looked began nobody knows when.
      { ...one, value: 500, began: at(60), time: at(60) },
      { ...one, value: 501, began: at(60), time: at(70) },
    ].toSorted((a, b) => (a.time - b.time || b.value < a.value ? 1 : -1)),
  )
  const sum = receiver.points.find(({ metric }) => metric.name === 'nginx_http_requests_total')!.metric
  expect(sum).toMatchObject({ unit: '{request}', data: { value: { isMonotonic: true, aggregationTemporality: 2 } } })
  expect(seen('nginx_connections_active')[0]).toEqual({ value: 5, began: 0, time: at(0), data: 'gauge' })
})

test('buckets become histograms, also where those that did not change are left out and the store was started again', async () => {
  const { place, agent } = await withAgent()
  const name = 'nginx_http_request_duration_seconds'
  const part = (suffix: string, value: number, seconds: number, le?: string) => ({
    name: `${name}_${suffix}`,
    value,
    timestamp: BigInt(start + seconds * 1000),
    type: MetricType.HISTOGRAM,
    labels: { virtual_host: 'v', ...(le && { le }) },
  })
  const histograms = () =>
    receiver.points.flatMap(({ metric, point, attributes }) => {
      if (!('bucketCounts' in point)) return []
      const { bucketCounts, explicitBounds, sum, count } = point
      return [
        { name: metric.name, unit: metric.unit, attributes, counts: bucketCounts.map(Number), explicitBounds, sum, count: Number(count) },
      ]
    })
  const common = { name, unit: 's', attributes: { virtual_host: 'v' }, explicitBounds: [0.1, 1] }
  await agent.metrics({
    spool: 'a',
    sequence: 1n,
    metrics: [
      part('bucket', 1, 0, '0.1'),
      part('bucket', 3, 0, '1'),
      part('bucket', 4, 0, '+Inf'),
      part('sum', 6.5, 0),
      part('count', 4, 0),
    ],
  })
  await until('a histogram', () => histograms().length > 0)
  expect(histograms()).toEqual([{ ...common, counts: [1, 2, 1], sum: 6.5, count: 4 }])
  await until('it to be counted', () => place.statusOf('metrics')?.exported === 5)
  await endStore(place)
  await agent.metrics({ spool: 'a', sequence: 2n, metrics: [part('bucket', 6, 10, '+Inf'), part('sum', 16.5, 10), part('count', 6, 10)] })
  await agent.metrics({ spool: 'a', sequence: 3n, metrics: [part('bucket', 7, 20, '+Inf'), part('sum', 20, 20), part('count', 7, 20)] })
  await until('three histograms', () => histograms().length >= 3)
  expect(histograms().slice(1)).toEqual([
    { ...common, counts: [1, 2, 3], sum: 16.5, count: 6 },
    { ...common, counts: [1, 2, 4], sum: 20, count: 7 },
  ])
  expect(new Set(receiver.points.map(({ metric }) => metric.name))).toEqual(new Set([name]))
})

test('a receiver that is not there yet gets everything once it is', async () => {
  const { port } = receiver
  await receiver[Symbol.asyncDispose]()
  const { place, agent } = await withAgent(['--otlp-endpoint', `http://127.0.0.1:${port}/`, '--otlp-signals', 'logs'])
  await send(agent, 'one', 'two')
  await until('the failure to be told', () => place.statusOf('logs')?.failing)
  expect(place.statusOf('logs')).toMatchObject({ exported: 0, failing: { reason: expect.stringContaining('ECONNREFUSED') } })
  await send(agent, 'three')
  await endStore(place)
  receiver = stack.use(await startReceiver(port))
  await arrive(3)
  expect(ids()).toEqual(['one', 'two', 'three'])
  await counted(place, 3)
  expect(place.statusOf('metrics')).toBeUndefined()
})

test('what is answered 503 or 429 is sent again, not before the receiver wants it', async () => {
  const times: number[] = []
  receiver.behave(() => {
    times.push(performance.now())
    if (times.length === 1) return { status: 503 }
    return times.length === 2 ? { status: 429, headers: { 'retry-after': '2' } } : { status: 200 }
  })
  const { agent } = await withAgent()
  await send(agent, 'again')
  await arrive(1)
  expect(ids()).toEqual(['again'])
  expect(times[2]! - times[1]!).toBeGreaterThan(1900)
})

test.each([400, 500])('what is answered %i is dropped and counted, and the export goes on', async (status) => {
  receiver.behave(({ logs }) =>
    logs.length > 0 && logs[0]!.attributes['nxmesh.request_id'] === 'bad' ? { status, message: 'no\nthanks' } : { status: 200 },
  )
  const { place, agent } = await withAgent()
  await send(agent, 'bad')
  await until('it to be refused', () => place.statusOf('logs')?.refused === 1)
  await send(agent, 'good')
  await arrive(1)
  expect(ids()).toEqual(['good'])
  await counted(place, 1, 1)
})

test.each([401, 404])('what is answered %i waits until the receiver or its address is mended', async (status) => {
  receiver.behave({ status, message: 'who are you?' })
  const { place, agent } = await withAgent()
  await send(agent, 'kept')
  const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing)
  expect(reason).toBe(`${status} who are you?`)
  receiver.behave({ status: 200 })
  await arrive(1)
  expect(ids()).toEqual(['kept'])
})

test('what the receiver took only in part is counted as refused', async () => {
  receiver.behave({ status: 200, partial: { partialSuccess: { rejectedLogRecords: 2n, errorMessage: 'too old' } } })
  const { place, agent } = await withAgent()
  await send(agent, 'one', 'two', 'three')
  await counted(place, 1, 2)
  expect(ids()).toEqual(['one', 'two', 'three'])
})

test('requests become smaller for a receiver that wants no large ones', async () => {
  receiver.behave(({ logs }) => ({ status: logs.length > 3 ? 413 : 200 }))
  const { place, agent } = await withAgent()
  const names = Array.from({ length: 40 }, (_, index) => `n${index}`)
  await send(agent, ...names)
  await arrive(40)
  expect(ids()).toEqual(names)
  await counted(place, 40)
})

test('while the receiver hangs, lines are taken and questions answered, and the memory does not fill', async () => {
  receiver.behave('hang')
  const { place, agent } = await withAgent()
  await send(agent, 'first')
  await until('a request that hangs', () => receiver.requests.length > 0)
  const names = Array.from({ length: 100 }, (_, index) => `n${index}`)
  for (let round = 0; round < 30; round++) await send(agent, ...names)
  const query = { from: '2026-03-01T00:00:00Z' }
  const { meta } = await place.client.call(routes.listAccessLogs, { params: { workspace_id: place.workspaceId }, query })
  expect(meta.total).toBe(3001)
  expect(new Set(receiver.requests.flatMap(({ logs }) => logs.map(({ attributes }) => attributes['nxmesh.request_id'])))).toEqual(
    new Set(['first']),
  )
  const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing, 40)
  expect(reason).toBe('no answer within 10 s')
  receiver.behave({ status: 200 })
  await arrive(3001)
  expect(receiver.logs).toHaveLength(3001)
  expect(Math.max(...receiver.requests.map(({ logs }) => logs.length))).toBeLessThanOrEqual(2000)
}, 90_000)

test('long lines make smaller requests', async () => {
  const { agent } = await withAgent(['--otlp-endpoint', receiver.url, '--otlp-compression', 'none'])
  const entries = Array.from({ length: 300 }, (_, index) => line(start, { request_id: `n${index}`, user_agent: 'u'.repeat(8000) }))
  for (let part = 0; part < 3; part++) await agent.logs({ entries: entries.slice(100 * part, 100 * (part + 1)) })
  await arrive(300)
  expect(new Set(ids()).size).toBe(300)
  for (const { bytes } of receiver.requests) expect(bytes).toBeLessThan(1_200_000)
})

test('addresses of signals, headers and no compression are as the settings say', async () => {
  const settings = ['--otlp-logs-endpoint', `${receiver.url}/own/v1/logs`, '--otlp-endpoint', `${receiver.url}/base/?tenant=1`]
  const headers = 'Authorization=Bearer%20s3cret, X-Scope = a'
  const { place, agent } = await withAgent([...settings, '--otlp-headers', headers, '--otlp-compression', 'none'])
  await send(agent, 'one')
  await agent.metrics({ metrics: [gauge(start, 'nginx_up', 1)] })
  await until('both to arrive', () => receiver.logs.length > 0 && receiver.points.length > 0)
  expect(new Set(receiver.requests.map(({ path }) => path))).toEqual(new Set(['/own/v1/logs', '/base/v1/metrics?tenant=1']))
  expect(receiver.requests[0]!.headers).toMatchObject({ authorization: 'Bearer s3cret', 'x-scope': 'a' })
  expect(receiver.requests[0]!.headers['content-encoding']).toBeUndefined()
  // Whoever may list processes learns nothing of it.
  expect(await readFile(`/proc/${place.telemetry.status().pid}/cmdline`, 'utf8')).not.toContain('s3cret')
})

test('a receiver with a certificate of a private CA is trusted where that is named', async () => {
  let identity: { id: string; token: string }
  const ca = join(directory, 'receiver-ca.pem')
  {
    await using place = await startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    const certificate = await place.master.ctx.authority.serverCertificate(['127.0.0.1'])
    receiver = stack.use(await startReceiver(0, certificate))
    await writeFile(ca, place.caPem)
  }
  {
    await using place = await startPlace()
    using agent = await connectTelemetryAgent(place, identity)
    await send(agent, 'one')
    const { reason } = await until('the failure to be told', () => place.statusOf('logs')?.failing)
    expect(reason).toMatch(/certificate/)
    expect(receiver.requests).toEqual([])
  }
  await using place = await startPlace(['--otlp-endpoint', receiver.url, '--otlp-ca-file', ca])
  await arrive(1)
  await counted(place, 1)
  expect(ids()).toEqual(['one'])
})

test('the export begins with what comes after it was set up, and goes on where it was', async () => {
  let identity: { id: string; token: string }
  {
    await using place = await startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await send(agent, 'before')
  }
  for (const names of [['one'], ['two', 'three']]) {
    await using place = await startPlace()
    using agent = await connectTelemetryAgent(place, identity)
    await send(agent, ...names)
    await until('them to arrive', () => names.every((name) => ids().includes(name)))
    await counted(place, receiver.logs.length)
  }
  expect(ids()).toEqual(['one', 'two', 'three'])
})

test('what the store lets go before it was exported is counted', async () => {
  const files = join(directory, 'telemetry')
  const { port } = receiver
  await receiver[Symbol.asyncDispose]()
  const settings = ['--otlp-endpoint', `http://127.0.0.1:${port}`]
  let identity: { id: string; token: string }
  {
    await using place = await startPlace(settings)
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await send(agent, 'one', 'two', 'three')
  }
  const today = (await readdir(files)).find((name) => name.endsWith('.duckdb'))!
  // As if it had been written in another time.
  await rename(join(files, today), join(files, '2026-01-01.duckdb'))
  receiver = stack.use(await startReceiver(port))
  await using place = await startPlace(settings)
  using agent = await connectTelemetryAgent(place, identity)
  await send(agent, 'four')
  await endStore(place)
  await until('the file to be gone', async () => !(await readdir(files)).includes('2026-01-01.duckdb'))
  await until('the rest to be exported', () => place.statusOf('logs')?.exported === 1)
  expect(ids()).toEqual(['four'])
  expect(place.statusOf('logs')).toEqual({ exported: 1, refused: 0, skipped: 3, failing: undefined })
})

test('files of a version that did not know when counters began are read and added to', async () => {
  let identity: { id: string; token: string }
  {
    await using place = await startPlace([])
    using agent = await newTelemetryAgent(place, 'one')
    identity = agent
    await agent.metrics({ spool: 'a', sequence: 1n, metrics: [requestsOf(start, 5)] })
  }
  const today = new Date().toISOString().slice(0, 10)
  const instance = await DuckDBInstance.create(join(directory, 'telemetry', `${today}.duckdb`))
  const connection = await instance.connect()
  for (const table of ['samples', 'counters']) await connection.run(`ALTER TABLE ${table} DROP COLUMN began`)
  connection.closeSync()
  instance.closeSync()
  await using place = await startPlace()
  using agent = await connectTelemetryAgent(place, identity)
  await agent.metrics({ spool: 'a', sequence: 2n, metrics: [requestsOf(start + 10_000, 7)] })
  await until('a point', () => receiver.points.length > 0)
  expect(receiver.points[0]!.point).toMatchObject({ value: { value: 7 }, startTimeUnixNano: nanoseconds(start) })
  const params = { agent_id: agent.id }
  const query = { from: '2026-03-01T00:00:05Z', to: '2026-03-02T00:00:00Z' }
  expect(await place.client.call(routes.getAgentMetrics, { params, query })).toMatchObject({ requests_total: 2 })
})
