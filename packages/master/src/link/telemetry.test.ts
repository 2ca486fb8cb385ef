import { create, toBinary } from '@bufbuild/protobuf'
import { AgentMessageSchema, LogBatchSchema, MetricsBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fieldNamesOf, peekBatchTimestamp, peekTelemetry, readLogs, readMetrics } from './telemetry.ts'

const names = fieldNamesOf(['uri', 'status'])
const text = fc.string({ unit: 'grapheme' })
const entries = fc.array(
  fc.record({
    timestamp: fc.bigInt({ min: 0n, max: 8_640_000_000_000_000n }),
    level: text,
    message: text,
    fields: fc.dictionary(fc.constantFrom('uri', 'status', 'other'), text),
  }),
)
const number = fc.bigInt({ min: 1n, max: BigInt(Number.MAX_SAFE_INTEGER) })

test('a batch of logs is read as protobuf reads it', () => {
  fc.assert(
    fc.property(entries, number, (written, sequence) => {
      const read = readLogs(toBinary(LogBatchSchema, create(LogBatchSchema, { entries: written, spool: 's', sequence })), names)
      if (!read.ok) throw new Error(read.reason)
      const seen: unknown[] = []
      read.each(({ bytes, timestamp, level, message, fields }) => {
        const [uri, status] = fields.map(({ start, end }) => (start < 0 ? undefined : bytes.toString('utf8', start, end)))
        const said = ({ start, end }: typeof level) => (start < 0 ? '' : bytes.toString('utf8', start, end))
        seen.push({ timestamp: BigInt(timestamp), level: said(level), message: said(message), uri, status })
      })
      expect(read).toMatchObject({ spool: 's', sequence: Number(sequence) })
      expect(seen).toEqual(written.map(({ fields, ...rest }) => ({ ...rest, uri: fields['uri'], status: fields['status'] })))
    }),
  )
})

test('telemetry is found in a message without reading it, and other messages are left alone', () => {
  const message = (payload: object, timestamp = 5n) =>
    toBinary(AgentMessageSchema, create(AgentMessageSchema, { agentId: 'a', timestamp, payload: payload as never }))
  const logs = message({ case: 'logs', value: { entries: [{ message: 'x' }] } }, (1n << 62n) + 1n)
  const found = peekTelemetry(logs)
  expect(found).toMatchObject({ agentId: 'a', timestamp: (1n << 62n) + 1n, batch: 'logs' })
  expect(peekTelemetry(message({ case: 'logs', value: {} }, -3n))?.timestamp).toBe(-3n)
  expect(peekTelemetry(message({ case: 'health', value: {} }))).toBeUndefined()
  // As protobuf has it: parts of one payload are put together, and of several the last one counts.
  const twice = Buffer.concat([logs, message({ case: 'logs', value: { entries: [{ message: 'y' }] } })])
  const read = readLogs(peekTelemetry(twice)!.bytes, names)
  let count = 0
  if (read.ok) read.each(() => count++)
  expect(count).toBe(2)
  expect(peekTelemetry(Buffer.concat([logs, message({ case: 'health', value: {} })]))).toBeUndefined()
})

test('bytes that are no batch are refused and do no harm', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      readLogs(bytes, names)
      readMetrics(bytes)
      peekBatchTimestamp(bytes)
      try {
        peekTelemetry(bytes)
      } catch {
        return
      }
    }),
  )
  const batch = toBinary(LogBatchSchema, create(LogBatchSchema, { entries: [{ message: 'long enough' }] }))
  expect(readLogs(batch.subarray(0, batch.length - 1), names)).toEqual({ ok: false, reason: 'logs cannot be read' })
  const refused = (bytes: Uint8Array) => readLogs(bytes, names)
  const numbered = (spool: string, sequence: bigint) => toBinary(LogBatchSchema, create(LogBatchSchema, { spool, sequence }))
  expect(refused(numbered('s', 0n))).toMatchObject({ ok: false, reason: expect.stringContaining('sequence') })
  expect(refused(numbered('s', (1n << 64n) - 1n))).toMatchObject({ ok: false, reason: expect.stringContaining('sequence') })
  expect(refused(numbered('s'.repeat(101), 1n))).toMatchObject({ ok: false, reason: expect.stringContaining('spool') })
  expect(peekBatchTimestamp(toBinary(MetricsBatchSchema, create(MetricsBatchSchema, { timestamp: 7n })))).toBe(7n)
})
