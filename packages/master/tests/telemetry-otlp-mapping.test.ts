import { routes } from '@nxmesh/api/routes'
import { MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { until } from '@nxmesh/testkit/until'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { counted, endStore, nanoseconds, openStage, type Stage, start } from './otlp/stage.ts'
import { gauge, line, requestsOf } from './telemetry-agent.ts'

let stage: Stage

beforeEach(async () => {
  stage = await openStage()
})

afterEach(() => stage.end())

test('a line of a log becomes a log record with the attributes of the semantic conventions', async () => {
  const { place, agent } = await stage.withAgent()
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
  await stage.arrive(3)
  const [all, odd, error] = stage.receiver.logs.toSorted((a, b) => Number(a.record.timeUnixNano - b.record.timeUnixNano))
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
  const { place, agent } = await stage.withAgent()
  const seen = (name: string) =>
    stage.receiver.points
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
  const sum = stage.receiver.points.find(({ metric }) => metric.name === 'nginx_http_requests_total')!.metric
  expect(sum).toMatchObject({ unit: '{request}', data: { value: { isMonotonic: true, aggregationTemporality: 2 } } })
  expect(seen('nginx_connections_active')[0]).toEqual({ value: 5, began: 0, time: at(0), data: 'gauge' })
})

test('buckets become histograms, also where those that did not change are left out and the store was started again', async () => {
  const { place, agent } = await stage.withAgent()
  const name = 'nginx_http_request_duration_seconds'
  const part = (suffix: string, value: number, seconds: number, le?: string) => ({
    name: `${name}_${suffix}`,
    value,
    timestamp: BigInt(start + seconds * 1000),
    type: MetricType.HISTOGRAM,
    labels: { virtual_host: 'v', ...(le && { le }) },
  })
  const histograms = () =>
    stage.receiver.points.flatMap(({ metric, point, attributes }) => {
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
  expect(new Set(stage.receiver.points.map(({ metric }) => metric.name))).toEqual(new Set([name]))
})
