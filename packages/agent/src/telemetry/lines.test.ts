import { accessLogFields } from '@nxmesh/nginx/access-log'
import { expect, test } from 'vitest'
import { readAccessLine } from './access-line.ts'
import { type Counters, count, samplesOf } from './counters.ts'
import { readErrorLine } from './error-line.ts'

function lineWith(values: Record<string, string>): string {
  return JSON.stringify(Object.fromEntries(accessLogFields.map(([name]) => [name, values[name] ?? ''])))
}

test('a line of the access log is an entry by the names of the API, without what nginx did not know', () => {
  const line = lineWith({
    msec: '1772445600.123',
    status: '502',
    virtual_host: 'v',
    method: 'GET',
    uri: '/a?b',
    protocol: 'HTTP/1.1',
    request_time: '0.150',
    request_bytes: '70',
    bytes_sent: '300',
    upstream_status: '502, 502',
    referer: '-',
  })
  const { entry, request } = readAccessLine(line, 0)
  expect(entry).toMatchObject({ time: 1772445600123, level: 'access', message: 'GET /a?b HTTP/1.1' })
  expect(Object.fromEntries(entry.fields)).toEqual({
    status: '502',
    virtual_host: 'v',
    method: 'GET',
    uri: '/a?b',
    protocol: 'HTTP/1.1',
    response_time_ms: '150',
    request_bytes: '70',
    bytes_sent: '300',
    upstream_status: '502, 502',
  })
  expect(request).toEqual({ virtual_host: 'v', status_class: '5xx', request_bytes: 70, response_bytes: 300, seconds: 0.15 })
})

test.each(['', 'no JSON', '{}', '"text"', 'null', '{"status":"200"'])('a line that is none of ours is passed on as it is: %j', (line) => {
  const { entry, request } = readAccessLine(line, 7)
  expect(entry).toEqual({ time: 7, level: 'access', message: line, fields: [] })
  expect(request).toBeUndefined()
})

test('lines of an error log have a level and a local time, others go on with the line before', () => {
  const entry = readErrorLine('2026/01/31 10:00:05 [crit] 4711#4712: *3 connect() failed')
  expect(entry).toMatchObject({ level: 'crit', message: '4711#4712: *3 connect() failed' })
  expect(entry!.time).toBe(new Date(2026, 0, 31, 10, 0, 5).getTime())
  expect(readErrorLine('  and more')).toBeUndefined()
})

test('requests are counted by host, class and duration', () => {
  const counters: Counters = {}
  const request = { virtual_host: 'v', status_class: '2xx', request_bytes: 10, response_bytes: 20, seconds: 0.005 }
  for (const seconds of [0.005, 0.006, 11]) count(counters, { ...request, seconds })
  count(counters, { ...request, virtual_host: '', status_class: '4xx' })
  const value = (name: string, labels: object) =>
    Object.entries(counters)
      .flatMap(([id, host]) => samplesOf(id, host))
      .find((sample) => sample.name === name && JSON.stringify(sample.labels) === JSON.stringify(labels))?.value
  const bucket = (le: string) => value('nginx_http_request_duration_seconds_bucket', { virtual_host: 'v', le })
  expect(value('nginx_http_requests_total', { virtual_host: 'v', status_class: '2xx' })).toBe(3)
  expect(value('nginx_http_requests_total', { virtual_host: '', status_class: '4xx' })).toBe(1)
  expect(value('nginx_http_response_bytes_total', { virtual_host: 'v' })).toBe(60)
  expect(['0.005', '0.01', '10', '+Inf'].map(bucket)).toEqual([1, 2, 2, 3])
  expect(value('nginx_http_request_duration_seconds_sum', { virtual_host: 'v' })).toBe(11.011)
})
