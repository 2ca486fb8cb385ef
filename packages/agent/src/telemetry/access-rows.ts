import { accessLogFields } from '@nxmesh/nginx/access-log'
import { type LogBatchWriter, logRowCells } from '../link/batches.ts'

import { type AccessLine, type Request, readAccessLine } from './access-line.ts'

// Bytes, not strings: a host that serves 50,000 requests a second has as many lines, and nginx needs the processor more.

const [newline, quote, backslash, tab, dash, dot, zero, nine] = [0x0a, 0x22, 0x5c, 0x09, 0x2d, 0x2e, 0x30, 0x39] as const
const longestMessage = 16_384

// What a line has before each value, and at its end. Source: `accessLogFormat`.
const before = accessLogFields.map(([name], index) => Buffer.from(`${index === 0 ? '{"' : '","'}${name}":"`))
const after = Buffer.from('"}')
const placeOf = (name: string) => accessLogFields.findIndex(([field]) => field === name)
const logged = { timestamp: 'msec', response_time_ms: 'request_time' } as const
/** Which value of a line stands in which cell of a row. */
const cells = logRowCells.map((cell) => placeOf(cell in logged ? logged[cell as keyof typeof logged] : cell))
const [time, duration, host, status, received, sent] = (
  ['msec', 'request_time', 'virtual_host', 'status', 'request_bytes', 'bytes_sent'] as const
).map(placeOf) as [number, number, number, number, number, number]

/**
 * Adds lines of the access log to a batch, and returns how many: as rows where the master takes rows and the line is as our config has nginx
 * write it. Every request is told.
 */
export type AddAccessLines = (
  lines: Buffer,
  batch: LogBatchWriter,
  how: { asRows: boolean; onRequest: (request: Request) => void },
) => number

export function accessLineAdder(now: () => number = Date.now): AddAccessLines {
  // Where each value of the present line begins and ends.
  const starts = new Int32Array(accessLogFields.length)
  const ends = new Int32Array(accessLogFields.length)
  let rows = Buffer.alloc(0)
  let length = 0
  let lastHost = { bytes: Buffer.alloc(0), text: '' }

  // Finds the values of a line; false where it is not as it should be.
  function find(line: Buffer, from: number, to: number): boolean {
    let at = from
    for (let field = 0; field < before.length; field++) {
      const name = before[field]!
      for (let index = 0; index < name.length; index++) if (line[at++] !== name[index]) return false
      starts[field] = at
      for (let byte = line[at]!; byte !== quote; byte = line[at]!) {
        if (byte < 0x20 || at >= to) return false
        at += byte === backslash ? 2 : 1
      }
      ends[field] = at
    }
    return (
      at + after.length === to &&
      line[at + 1] === after[1] &&
      isSeconds(line, time) &&
      (isSeconds(line, duration) || isNone(line, duration))
    )
  }

  // As nginx writes times: seconds with three decimals.
  function isSeconds(line: Buffer, field: number): boolean {
    const [start, point] = [starts[field]!, ends[field]! - 4]
    return (
      point > start && point - start <= 11 && line[point] === dot && isDigits(line, start, point) && isDigits(line, point + 1, point + 4)
    )
  }

  function isNone(line: Buffer, field: number): boolean {
    const [start, end] = [starts[field]!, ends[field]!]
    return start === end || (end - start === 1 && line[start] === dash)
  }

  function writeRow(line: Buffer) {
    for (const field of cells) {
      if (field === time || field === duration) writeMilliseconds(line, field)
      else if (!isNone(line, field)) for (let at = starts[field]!; at < ends[field]!; at++) rows[length++] = line[at]!
      rows[length++] = tab
    }
    rows[length - 1] = newline
  }

  function writeMilliseconds(line: Buffer, field: number) {
    if (isNone(line, field)) return
    const end = ends[field]!
    let at = starts[field]!
    while (at < end - 1 && (line[at] === zero || line[at] === dot)) at++
    for (; at < end; at++) if (line[at] !== dot) rows[length++] = line[at]!
  }

  function numberOf(line: Buffer, field: number): number {
    if (!isDigits(line, starts[field]!, ends[field]!)) return 0
    let number = 0
    for (let at = starts[field]!; at < ends[field]!; at++) number = number * 10 + line[at]! - zero
    return number
  }

  // Most lines are of the same host as the one before.
  function hostOf(line: Buffer): string {
    const [start, end] = [starts[host]!, ends[host]!]
    if (lastHost.bytes.compare(line, start, end) !== 0) {
      lastHost = { bytes: Buffer.from(line.subarray(start, end)), text: isNone(line, host) ? '' : line.toString('utf8', start, end) }
    }
    return lastHost.text
  }

  function requestOf(line: Buffer): Request | undefined {
    if (isNone(line, status)) return undefined
    return {
      virtual_host: hostOf(line),
      status_class: `${String.fromCharCode(line[starts[status]!]!)}xx`,
      request_bytes: numberOf(line, received),
      response_bytes: numberOf(line, sent),
      seconds: isNone(line, duration) ? 0 : Number(line.toString('latin1', starts[duration], ends[duration])),
    }
  }

  function addOther(text: string, batch: LogBatchWriter): AccessLine['request'] {
    const { entry, request } = readAccessLine(text, now())
    batch.add(entry.message.length > longestMessage ? { ...entry, message: entry.message.slice(0, longestMessage) } : entry)
    return request
  }

  return (lines, batch, { asRows, onRequest }) => {
    // Rows are shorter than the lines that they are made of.
    if (rows.length < lines.length) rows = Buffer.allocUnsafe(lines.length)
    length = 0
    let count = 0
    for (let start = 0; start < lines.length; count++) {
      const found = lines.indexOf(newline, start)
      const end = found < 0 ? lines.length : found
      let request: Request | undefined
      if (asRows && find(lines, start, end)) {
        writeRow(lines)
        request = requestOf(lines)
      } else request = addOther(lines.toString('utf8', start, end), batch)
      if (request) onRequest(request)
      start = end + 1
    }
    if (length > 0) batch.rows(rows.subarray(0, length))
    return count
  }
}

function isDigits(bytes: Buffer, start: number, end: number): boolean {
  if (start === end) return false
  for (let at = start; at < end; at++) if (bytes[at]! < zero || bytes[at]! > nine) return false
  return true
}
