import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WireReader } from '../../link/wire.ts'
import { judge } from './answer.ts'
import { type SampleRow, unitOf, wholeHistograms } from './points.ts'
import { attributeKey, wireWriter } from './wire-writer.ts'

const now = Date.parse('2026-03-01T00:00:00Z')

function said(
  status: number,
  { retryAfter, contentType = '', body = '' }: { retryAfter?: string; contentType?: string; body?: string | Buffer } = {},
) {
  return judge({ kind: 'answered', status, retryAfter, contentType, body: Buffer.from(body) }, now)
}

test.each([
  ['7', 7000],
  ['0', 0],
  ['Sun, 01 Mar 2026 00:00:30 GMT', 30_000],
  ['Sat, 28 Feb 2026 00:00:00 GMT', 0],
  ['999999999', 3_600_000],
  ['soon', undefined],
  [undefined, undefined],
])('Retry-After %s is %s milliseconds', (retryAfter, after) => {
  expect(said(503, retryAfter === undefined ? {} : { retryAfter })).toMatchObject({ kind: 'later', after })
})

test('words of the receiver are cut and made fit for a log, in whatever form they come', () => {
  const json = { contentType: 'application/json; charset=utf-8' }
  expect(said(400, { ...json, body: '{"message":"a\\u001b[31m\\nb"}' })).toEqual({ kind: 'refused', reason: '400 a [31m b' })
  expect(said(400, { ...json, body: 'no json' })).toEqual({ kind: 'refused', reason: '400' })
  expect(said(400, { contentType: 'application/x-protobuf', body: '\xff' })).toEqual({ kind: 'refused', reason: '400' })
  expect(said(400, { contentType: 'text/html', body: '<html>' })).toEqual({ kind: 'refused', reason: '400' })
  expect(said(400, { contentType: 'text/plain', body: 'x'.repeat(10_000) })).toMatchObject({ reason: expect.stringMatching(/^.{201}$/) })
  const partial = '{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"old"}}'
  expect(said(200, { ...json, body: partial })).toEqual({ kind: 'accepted', rejected: 3, reason: 'old' })
  expect(said(200, { body: '\xff\xff' })).toEqual({ kind: 'accepted', rejected: 0, reason: '' })
})

test('whatever a receiver answers is judged', () => {
  const contentType = fc.constantFrom('', 'application/json', 'application/x-protobuf', 'text/plain')
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 599 }), contentType, fc.uint8Array(), (status, type, body) => {
      const { kind } = said(status, { contentType: type, body: Buffer.from(body) })
      expect(kind === 'accepted').toBe(status >= 200 && status < 300)
    }),
  )
})

test('messages of any size and depth are read as they were written', () => {
  const sizes = fc.constantFrom(0, 1, 100, 126, 127, 128, 129, 16_381, 16_384, 70_000)
  fc.assert(
    fc.property(sizes, sizes, fc.maxSafeNat(), (first, second, number) => {
      const out = wireWriter(16)
      out.message(1, () => {
        out.attribute(6, attributeKey('é'), 'x'.repeat(first))
        out.message(2, () => out.text(3, 'é'.repeat(second)))
      })
      out.varint(4, number)
      const reader = new WireReader(out.written())
      const into = () => {
        expect(reader.next()).toBe(true)
        return reader.span()
      }
      const end = into()
      const attribute = into()
      reader.at = attribute
      const inner = into()
      const text = into()
      expect(reader.bytes.toString('utf8', reader.at, text)).toBe('é'.repeat(second))
      expect([text, inner]).toEqual([end, end])
      reader.at = end
      expect(reader.next() && reader.varint()).toBe(number)
      expect(reader.next()).toBe(false)
    }),
  )
})

test('a page does not end within a histogram', () => {
  const row = (name: string, ts = 1): SampleRow => ({
    agent: 'a',
    spool: '',
    name,
    labels: '{}',
    ts,
    seq: 0,
    value: 1,
    began: 0,
    late: false,
  })
  const rows = [row('up'), row('h_bucket', 0), row('h_bucket'), row('h_sum')]
  expect(wholeHistograms(rows)).toEqual(rows.slice(0, 2))
  expect(wholeHistograms(rows.slice(2))).toEqual(rows.slice(2))
  expect(wholeHistograms([])).toEqual([])
})

test.each([
  ['nginx_http_request_bytes_total', 'By'],
  ['nginx_http_request_duration_seconds', 's'],
  ['system_cpu_percent', '%'],
  ['nginx_http_requests_total', '{request}'],
  ['nginx_connections_active', '{connection}'],
  ['nginx_up', ''],
])('the unit of %s is "%s"', (name, unit) => {
  expect(unitOf(name)).toBe(unit)
})
