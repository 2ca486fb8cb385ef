import { fromBinary } from '@bufbuild/protobuf'
import { accessLogFields } from '@nxmesh/nginx/access-log'
import { LogBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { logRowCells } from '@nxmesh/proto/log-rows'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { logBatchWriter } from '../link/batches.ts'
import type { Request } from './access-line.ts'
import { accessLineAdder } from './access-rows.ts'

const addLines = accessLineAdder(() => 7)

function batchOf(lines: string, asRows: boolean) {
  const batch = logBatchWriter()
  const requests: Request[] = []
  const count = addLines(Buffer.from(lines), batch, { asRows, onRequest: (request) => requests.push(request) })
  const { entries, rows } = fromBinary(LogBatchSchema, batch.finish('s', 1))
  return { count, requests, entries, rows: Buffer.from(rows).toString() }
}

/** What a row says, as an entry says it. */
function entryOf(row: string) {
  const cells = row.split('\t').map((cell) => JSON.parse(`"${cell}"`) as string)
  const named = logRowCells.map((name, index) => [name, cells[index]!] as const).filter(([, text]) => text !== '')
  const { timestamp, ...fields } = Object.fromEntries(named)
  return { timestamp: BigInt(timestamp!), fields }
}

const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const whole = fc.nat().map(String)
const seconds = fc.integer({ min: 0, max: 99_999_999 }).map((thousandths) => (thousandths / 1000).toFixed(3))
const line = fc
  .record({
    ...Object.fromEntries(accessLogFields.map(([name]) => [name, fc.oneof(text, fc.constant('-'), fc.constant(''))])),
    msec: fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }).map((milliseconds) => (milliseconds / 1000).toFixed(3)),
    status: fc.integer({ min: 100, max: 599 }).map(String),
    virtual_host: fc.oneof(fc.uuid(), fc.constant('')),
    request_bytes: whole,
    bytes_sent: whole,
    request_time: fc.oneof(seconds, fc.constant('')),
  })
  .map((values) => JSON.stringify(Object.fromEntries(accessLogFields.map(([name]) => [name, (values as Record<string, string>)[name]]))))

test('a row says what the entry of the same line says, and the same is counted', () => {
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 20 }), (lines) => {
      const [rows, entries] = [batchOf(`${lines.join('\n')}\n`, true), batchOf(lines.join('\n'), false)]
      expect(rows.entries).toEqual([])
      expect([rows.count, entries.count]).toEqual([lines.length, lines.length])
      const said = rows.rows.slice(0, -1).split('\n').map(entryOf)
      expect(said).toEqual(entries.entries.map(({ timestamp, fields }) => ({ timestamp, fields })))
      expect(rows.requests).toEqual(entries.requests)
    }),
  )
})

test('a line that is none of ours goes as it is, among rows', () => {
  const [good] = fc.sample(line, { numRuns: 1, seed: 1 })
  const strange = ['', 'no JSON', '{}', good!.slice(0, -1), `${good} `, good!.replace('"status"', '"stat"'), good!.slice(1), '{"msec":"1\\']
  const { count, entries, rows } = batchOf([good, ...strange, good].join('\n'), true)
  expect(count).toBe(strange.length + 2)
  expect(rows.trimEnd().split('\n')).toHaveLength(2)
  expect(entries.slice(0, 3).map(({ message }) => message)).toEqual(strange.slice(0, 3))
  expect(entries).toHaveLength(strange.length)
})
