import { contract } from '@nxmesh/api/examples/contract'
import { routes } from '@nxmesh/api/routes'
import { MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connectForeign } from '../../../e2e/foreign/agent.ts'
import { shapeProblems } from './contract-shape.ts'
import { gauge, line, newTelemetryAgent, type Place, requestsOf, type TelemetryAgent } from './telemetry-agent.ts'

const start = Date.parse('2026-03-01T00:00:00Z')
const day = { from: '2026-03-01T00:00:00Z', to: '2026-03-02T00:00:00Z' }
const directoryIndex = 'directory index of "/srv/" is forbidden, client: 10.0.0.1, server: a, request: "GET / HTTP/1.1"'
const taken = { success: true, errorMessage: '' }

describe.each(stores)('on $name', (store) => {
  let stack: AsyncDisposableStack
  let mesh: TestMaster
  let place: Place
  let agent: TelemetryAgent
  let params: { workspace_id: string }

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch())
    const opened = opening.use(await store.open())
    mesh = opening.use(await startTestMaster(directory.path, await opened.settings()))
    const { client, master, workspaceId } = mesh
    place = { client, workspaceId, port: master.agents.port, caPem: master.ctx.authority.caPem }
    agent = opening.use(await newTelemetryAgent(place, 'web-server-01'))
    params = { workspace_id: workspaceId }
    const entries = [
      line(start + 1000),
      line(start + 2000, { status: '200', uri: '/', method: 'POST', host: 'www.example.com', request_id: 'two', response_time_ms: '10' }),
      line(start + 3000, {
        status: '404',
        uri: '/api/none?x=1',
        remote_addr: '10.0.0.1',
        user_agent: 'curl/8 "quoted"\ttab',
        response_time_ms: '20',
      }),
      line(start + 4000, {
        status: '502',
        uri: '/api/error?again',
        virtual_host: '880e8400-e29b-41d4-a716-446655440004',
        upstream_addr: '10.0.1.20:80',
      }),
      { timestamp: BigInt(start + 5000), level: 'error', message: 'connect() failed\n(111)', fields: { log: 'error' } },
      { timestamp: BigInt(start + 6000), level: 'error', message: directoryIndex, fields: { log: 'error' } },
    ]
    expect(await agent.logs({ entries, spool: 's', sequence: 1n })).toMatchObject(taken)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  const list = (query: object = {}) => mesh.client.call(routes.listAccessLogs, { params, query: { ...day, ...query } })
  const uris = async (query: object) => (await list(query)).data.map(({ uri }) => uri)
  const refusal = (promise: Promise<unknown>) =>
    promise.then(
      () => undefined,
      (error: { code: string; details: { field: string }[] }) => [error.code, error.details[0]?.field],
    )

  test('the query of the contract gives an answer of its shape', async () => {
    const answer = await mesh.client.call(routes.listAccessLogs, { params, query: contract.listAccessLogs.query as never })
    expect(shapeProblems(contract.listAccessLogs.response, answer)).toEqual([])
    const [shown] = contract.listAccessLogs.response.data
    expect(answer.meta).toEqual({ total: 1, limit: 100 })
    expect(answer.data[0]).toMatchObject({ ...shown, id: expect.any(String), agent_id: agent.id, timestamp: '2026-03-01T00:00:01.000Z' })
    expect(routes.listAccessLogs.response.parse(answer)).toEqual(answer)
  })

  test('entries come newest first, with every byte of what was logged', async () => {
    const { data, meta } = await list()
    expect(data.map(({ status }) => status)).toEqual([502, 404, 200, 500])
    expect(data[1]).toMatchObject({ user_agent: 'curl/8 "quoted"\ttab', virtual_host_id: null, upstream_addr: null })
    expect(data[0]).toMatchObject({ virtual_host_id: '880e8400-e29b-41d4-a716-446655440004', upstream_addr: '10.0.1.20:80' })
    expect(meta).toEqual({ total: 4, limit: 100 })
  })

  test.each([
    [{ status_code: '5xx' }, 2],
    [{ status_code: '404' }, 1],
    [{ host: 'www.example.com' }, 1],
    [{ method: 'POST' }, 1],
    [{ uri: '/api/' }, 3],
    [{ uri: '/api/%' }, 0],
    [{ remote_addr: '10.0.0.1' }, 1],
    [{ request_id: 'two' }, 1],
    [{ q: 'CURL' }, 1],
    [{ q: "'; drop table access; --" }, 0],
    [{ virtual_host_id: '880E8400-E29B-41D4-A716-446655440004' }, 1],
    [{ from: '2026-03-01T00:00:02Z', to: '2026-03-01T00:00:04Z' }, 2],
    [{ from: '2026-03-01T02:00:02+02:00' }, 3],
    [{ agent_id: '880e8400-e29b-41d4-a716-446655440004' }, 0],
    [{ status_code: '5xx', uri: '/api/error?' }, 1],
  ])('%o leaves %i', async (query, count) => {
    const { data, meta } = await list(query)
    expect([data.length, meta.total]).toEqual([count, count])
  })

  test('what is no filter is refused with its name', async () => {
    expect(await refusal(list({ status_code: 'abc' }))).toEqual(['VALIDATION_ERROR', 'status_code'])
    expect(await refusal(list({ from: 'yesterday' }))).toEqual(['VALIDATION_ERROR', 'from'])
    expect(await refusal(list({ from: day.to, to: day.from }))).toEqual(['VALIDATION_ERROR', 'from'])
    expect(await refusal(list({ limit: '1001' }))).toEqual(['VALIDATION_ERROR', 'limit'])
    expect(await refusal(list({ cursor: 'abc' }))).toEqual(['VALIDATION_ERROR', 'cursor'])
    const metrics = mesh.client.call(routes.getWorkspaceMetrics, { params, query: { ...day, step: '1' } as never })
    expect(await refusal(metrics)).toEqual(['VALIDATION_ERROR', 'step'])
  })

  test('a cursor leads through entries of one and the same moment, each of them once', async () => {
    const other = stack.use(await newTelemetryAgent(place, 'ties'))
    const time = Date.parse('2026-03-03T00:00:00Z')
    const entries = Array.from({ length: 25 }, (_, index) => line(time, { uri: `/${index}` }))
    for (const part of [entries.slice(0, 10), entries.slice(10)]) expect(await other.logs({ entries: part })).toMatchObject(taken)
    const seen: (string | null)[] = []
    let cursor: string | undefined
    do {
      const query = { from: '2026-03-02T23:00:00Z', to: '2026-03-03T01:00:00Z', limit: '7', ...(cursor && { cursor }) }
      const answer = await mesh.client.call(routes.listAccessLogs, { params, query: query as never })
      expect(answer.meta.total).toBe(25)
      seen.push(...answer.data.map(({ uri }) => uri))
      cursor = answer.meta.next_cursor
    } while (cursor)
    expect(seen).toEqual(entries.map(({ fields }) => fields.uri).toReversed())
  })

  test('a batch that comes again is acknowledged and not stored again; one that was left out is', async () => {
    const entries = [line(start + 60_000, { host: 'again.example.com' })]
    for (const sequence of [2n, 4n, 2n, 4n, 3n, 3n]) expect(await agent.logs({ entries, spool: 's', sequence })).toMatchObject(taken)
    expect((await list({ host: 'again.example.com' })).meta.total).toBe(3)
    expect(await agent.logs({ entries, spool: 'another', sequence: 2n })).toMatchObject(taken)
    expect((await list({ host: 'again.example.com' })).meta.total).toBe(4)
  })

  test('the commonest values, by path', async () => {
    const query = { ...day, by: 'uri', uri: '/api' } as const
    const answer = await mesh.client.call(routes.topAccessLogs, { params, query: { ...query, to: '2026-03-01T00:00:30Z' } })
    expect(answer).toEqual({
      data: [
        { value: '/api/error', requests: 2, body_bytes_sent: 246, server_errors: 2, response_time_ms: 150.5 },
        { value: '/api/none', requests: 1, body_bytes_sent: 123, server_errors: 0, response_time_ms: 20 },
      ],
      meta: { total: 3, limit: 10 },
    })
    for (const by of ['remote_addr', 'user_agent', 'upstream_addr', 'host', 'status'] as const) {
      const { data } = await mesh.client.call(routes.topAccessLogs, { params, query: { ...day, by } })
      expect(data.length, by).toBeGreaterThan(1)
    }
  })

  test('error logs are listed by themselves', async () => {
    const { data, meta } = await mesh.client.call(routes.listErrorLogs, { params, query: { ...day, level: 'error', q: 'CONNECT()' } })
    expect(meta).toEqual({ total: 1, limit: 100 })
    expect(data[0]).toEqual({
      id: expect.any(String),
      agent_id: agent.id,
      timestamp: '2026-03-01T00:00:05.000Z',
      level: 'error',
      message: 'connect() failed\n(111)',
    })
    const known = await mesh.client.call(routes.listErrorLogs, { params, query: { ...day, q: 'directory index' } })
    expect(known.data).toMatchObject([{ message: directoryIndex, code: 'listing_forbidden', fix: expect.any(String) }])
  })

  test('counters become totals: new spools from zero, resets, repeated batches and labels', async () => {
    const [one, two] = [stack.use(await newTelemetryAgent(place, 'm1')), stack.use(await newTelemetryAgent(place, 'm2'))]
    const from = Date.parse('2026-04-01T00:00:00Z')
    const at = (seconds: number) => from + seconds * 1000
    const batch = (sequence: number, seconds: number, ok: number, failed: number) => ({
      timestamp: BigInt(at(seconds)),
      spool: 'a',
      sequence: BigInt(sequence),
      metrics: [
        requestsOf(at(seconds), ok),
        requestsOf(at(seconds), failed, { status_class: '5xx', virtual_host: 'x' }),
        { name: 'nginx_http_request_bytes_total', value: ok * 10, timestamp: BigInt(at(seconds)), type: MetricType.COUNTER },
        { name: 'nginx_http_response_bytes_total', value: ok * 100, timestamp: BigInt(at(seconds)), type: MetricType.COUNTER },
        gauge(at(seconds), 'nginx_connections_active', sequence),
      ],
    })
    // Before the window, in it, a reset in it, and after it.
    for (const [sequence, seconds, ok, failed] of [
      [1, -10, 100, 1],
      [2, 10, 150, 1],
      [3, 20, 180, 4],
      [4, 30, 20, 0],
      [5, 90, 1000, 1000],
    ] as const) {
      for (let times = 0; times < 2; times++) expect(await one.metrics(batch(sequence, seconds, ok, failed))).toMatchObject(taken)
    }
    // A spool that begins inside the window counts from zero; without one, what was there before nobody knows.
    expect(
      await two.metrics({ spool: 'z', sequence: 1n, metrics: [requestsOf(at(5), 7), gauge(at(5), 'nginx_connections_active', 40)] }),
    ).toMatchObject(taken)
    expect(await two.metrics({ metrics: [requestsOf(at(6), 5000)] })).toMatchObject(taken)
    expect(await two.metrics({ metrics: [requestsOf(at(7), 5003)] })).toMatchObject(taken)

    const query = { from: '2026-04-01T00:00:00Z', to: '2026-04-01T00:01:00Z' }
    const whole = await mesh.client.call(routes.getWorkspaceMetrics, { params, query })
    expect(shapeProblems(contract.getWorkspaceMetrics.response, whole)).toEqual([])
    const { response_time_ms: latency, ...totals } = whole
    expect(totals).toEqual({
      requests_total: 113,
      requests_per_second: 113 / 60,
      error_rate: 3 / 113,
      active_connections: 44,
      bandwidth: { in_bytes: 1000, out_bytes: 10_000 },
      status_codes: { '2xx': 110, '3xx': 0, '4xx': 0, '5xx': 3 },
    })
    expect(latency).toEqual({ p50: null, p90: null, p99: null })

    const of = await mesh.client.call(routes.getAgentMetrics, { params: { agent_id: two.id }, query: { ...query, step: '30' } as never })
    expect(of).toMatchObject({ requests_total: 10, active_connections: 40 })
    expect(of.series).toMatchObject([
      { timestamp: '2026-04-01T00:00:00.000Z', requests_total: 10, active_connections: 40 },
      { timestamp: '2026-04-01T00:00:30.000Z', requests_total: 0, active_connections: null },
    ])
    expect(routes.getAgentMetrics.response.parse(of)).toEqual(of)
  })

  test('what counters have counted before anybody looked is not counted, however many come at once; what appears later is', async () => {
    const from = Date.parse('2026-05-01T00:00:00Z')
    const query = { from: '2026-05-01T00:00:00Z', to: '2026-05-01T00:01:00Z' }
    const old = stack.use(await newTelemetryAgent(place, 'old'))
    const batch = (seconds: number, counts: Record<string, number>) => ({
      metrics: Object.entries(counts).map(([status_class, value]) => requestsOf(from + seconds * 1000, value, { status_class })),
    })
    // Without a spool, and with one that somebody else had the beginning of.
    for (const spool of [{}, { spool: 'old', sequence: 500n }]) {
      expect(await old.metrics({ ...batch(10, { '2xx': 5000, '4xx': 300, '5xx': 70 }), ...spool })).toMatchObject(taken)
    }
    for (const spool of [{}, { spool: 'old', sequence: 501n }]) {
      expect(await old.metrics({ ...batch(20, { '2xx': 5001, '5xx': 72, '3xx': 4 }), ...spool })).toMatchObject(taken)
    }
    const { status_codes } = await mesh.client.call(routes.getAgentMetrics, { params: { agent_id: old.id }, query })
    expect(status_codes).toEqual({ '2xx': 2, '3xx': 8, '4xx': 0, '5xx': 4 })
  })

  test('the counters of one telling are of one moment, in however many batches they come', async () => {
    const from = Date.parse('2026-05-02T00:00:00Z')
    const query = { from: '2026-05-02T00:00:00Z', to: '2026-05-02T00:01:00Z' }
    const agent = stack.use(await newTelemetryAgent(place, 'many'))
    const batch = (sequence: number, since: number, counts: Record<string, number>) => ({
      metrics: Object.entries(counts).map(([status_class, value]) => requestsOf(from + sequence, value, { status_class })),
      spool: 'many',
      sequence: BigInt(sequence),
      since: BigInt(since),
    })
    const counted = async () => (await mesh.client.call(routes.getAgentMetrics, { params: { agent_id: agent.id }, query })).status_codes
    // Somebody else had the beginning of the spool.
    expect(await agent.metrics(batch(500, 500, { '2xx': 5000 }))).toMatchObject(taken)
    expect(await agent.metrics(batch(501, 500, { '4xx': 300 }))).toMatchObject(taken)
    expect(await counted()).toEqual({ '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 })
    expect(await agent.metrics(batch(502, 502, { '2xx': 5001 }))).toMatchObject(taken)
    expect(await agent.metrics(batch(503, 502, { '4xx': 302, '5xx': 4 }))).toMatchObject(taken)
    expect(await counted()).toEqual({ '2xx': 1, '3xx': 0, '4xx': 2, '5xx': 4 })
  })

  test('each of many counters is counted', async () => {
    const from = Date.parse('2026-05-03T00:00:00Z')
    const query = { from: '2026-05-03T00:00:00Z', to: '2026-05-03T00:01:00Z' }
    const agent = stack.use(await newTelemetryAgent(place, 'very many'))
    for (const sequence of [1, 2, 3]) {
      const metrics = Array.from({ length: 10_000 }, (_, at) =>
        requestsOf(from, 1, { status_class: '2xx', virtual_host: `${sequence}-${at}` }),
      )
      expect(await agent.metrics({ metrics, spool: 'v', sequence: BigInt(sequence) })).toMatchObject(taken)
    }
    const { requests_total } = await mesh.client.call(routes.getAgentMetrics, { params: { agent_id: agent.id }, query })
    expect(requests_total).toBe(30_000)
  })

  test('percentiles of response times come with the metrics', async () => {
    const query = { from: day.from, to: '2026-03-01T00:00:30Z' }
    const { response_time_ms } = await mesh.client.call(routes.getWorkspaceMetrics, { params, query })
    expect(response_time_ms).toEqual({ p50: 20, p90: 150.5, p99: 150.5 })
  })

  test('whatever an agent of somebody else sends breaks nothing', async () => {
    const body = { name: 'foreign' }
    const made = await mesh.client.call(routes.createAgentToken, { params, body })
    await using foreign = connectForeign({ port: place.port, caPem: place.caPem })
    await foreign.register({ token: made.token })
    const time = BigInt(Date.parse('2026-05-01T00:00:00Z'))
    const entry = (fields: Record<string, string>, level = 'info', message = '') => ({ timestamp: time, level, message, fields })
    const entries = [
      entry({ status: 'many', uri: '/\\N', remote_addr: '\\N', response_time_ms: 'NaN', body_bytes_sent: '-1' }),
      entry(
        { status: '200', response_time_ms: '1e3', bytes_sent: '99999999999999999999', user_agent: '\0\r\n\t",\u2028😀' },
        'access',
        'PUT /from/message HTTP/2.0',
      ),
      entry({ status: '200', uri: `/${'é'.repeat(20_000)}`, __proto__: 'x', constructor: 'y' }, ''),
      entry({}, '', ''),
      entry({ status: '503', log: 'error' }, 'warn', '"'.repeat(100_000)),
    ]
    foreign.send({ case: 'logs', value: { entries } }, '', 1n)
    expect(await foreign.next('ack')).toMatchObject({ messageId: '1', success: true })
    foreign.send(
      {
        case: 'metrics',
        value: {
          metrics: [
            { name: 'x', value: 1, labels: { '': '"\0\n' } },
            { name: '\t"', value: -1e308 },
          ],
        },
      },
      '',
      2n,
    )
    expect(await foreign.next('ack')).toMatchObject({ messageId: '2', success: true })
    foreign.send({ case: 'logs', value: {} }, '', 3n)
    expect(await foreign.next('ack')).toMatchObject({ messageId: '3', success: true })
    const query = { from: '2026-05-01T00:00:00Z', to: '2026-05-02T00:00:00Z' }
    const answer = await mesh.client.call(routes.listAccessLogs, { params, query })
    expect(routes.listAccessLogs.response.parse(answer)).toEqual(answer)
    const [long, odd, first] = answer.data
    expect(first).toMatchObject({ status: null, uri: '/\\N', remote_addr: '\\N', response_time_ms: null, body_bytes_sent: null })
    expect(odd).toMatchObject({ method: 'PUT', uri: '/from/message', protocol: 'HTTP/2.0', response_time_ms: 1000, bytes_sent: null })
    expect(odd?.user_agent).toBe(' \r\n\t",\u2028😀')
    expect(long?.uri?.length).toBeGreaterThan(4000)
    const { meta } = await mesh.client.call(routes.listErrorLogs, { params, query })
    expect([answer.meta.total, meta.total]).toEqual([3, 2])
    const metrics = await foreign.unary.reportMetrics(
      { timestamp: 9n, metrics: [{ name: 'y', value: 1 }] },
      { headers: { authorization: `Bearer ${made.token}` } },
    )
    expect(metrics).toMatchObject({ messageId: '9', success: true })
  })

  test('the rows of an agent that was deleted are not shown any more', async () => {
    const gone = await newTelemetryAgent(place, 'gone')
    expect(await gone.logs({ entries: [line(start + 70_000, { host: 'gone.example.com' })] })).toMatchObject(taken)
    expect(await uris({ host: 'gone.example.com' })).toHaveLength(1)
    await mesh.client.call(routes.deleteAgent, { params: { agent_id: gone.id } })
    expect(await uris({ host: 'gone.example.com' })).toEqual([])
    gone[Symbol.dispose]()
  })

  test('another workspace has nothing of it', async () => {
    const organization = { organization_id: mesh.organizationId }
    const other = await mesh.client.call(routes.createWorkspace, { params: organization, body: { name: 'Other', slug: 'other' } })
    const there = { params: { workspace_id: other.id } }
    const answer = await mesh.client.call(routes.listAccessLogs, { ...there, query: { ...day, agent_id: agent.id } })
    expect(answer).toEqual({ data: [], meta: { total: 0, limit: 100 } })
    expect(await mesh.client.call(routes.getWorkspaceMetrics, { ...there, query: day })).toMatchObject({ requests_total: 0 })
  })
})
