import { cellsOf, eachRow, logRowCells, numberAt } from '../link/log-rows.ts'
import { type EntryView, fieldNamesOf, type LogsView, readLogs, readMetrics, type Sample } from '../link/telemetry.ts'
import type { Batch, Taken } from './batch.ts'
import { beginningOf, increase } from './counters.ts'
import { accessFields, type Cell, type Table } from './schema.ts'
import { isTaken, type Ranges, take } from './sequences.ts'
import { addMark, advance, counterKey, knowsName, markKey, type State, setCounter, spoolBegan } from './state.ts'
import { newTsv, type Tsv } from './tsv.ts'

/** Rows for the tables of a file, and what to answer for each batch once they are durable. */
export interface Encoded {
  outcomes: Taken[]
  rows: Record<Table, Tsv>
  /** The earliest and the latest moment among the rows of each table. */
  times: Record<'access' | 'errors' | 'samples', Range>
}

export interface Range {
  min: number
  max: number
}

// In the order of rows, which most requests come in.
const [, ...fieldNames] = logRowCells
const cells = fieldNames.map((name): Cell => accessFields[name])
// Beside the columns: what tells an entry of an error log.
const names = fieldNamesOf([...fieldNames, 'log'])
const logField = fieldNames.length
const [addressField, methodField, uriField, protocolField, statusField] = (
  ['remote_addr', 'method', 'uri', 'protocol', 'status'] as const
).map((name) => fieldNames.indexOf(name)) as [number, number, number, number, number]
const longestLabels = 2000
const longestMessage = 16_384

export function emptyRange(): Range {
  return { min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY }
}

export function widen(range: Range, { min, max }: Range): void {
  range.min = Math.min(range.min, min)
  range.max = Math.max(range.max, max)
}

/** Turns batches into rows, those that are in the store already into none. The state is then as if the rows were durable. */
export function encode(state: State, batches: Batch[], now: number): Encoded {
  advance(state, now)
  const rows = { access: newTsv(), errors: newTsv(), samples: newTsv(), batches: newTsv(), counters: newTsv() }
  const times = { access: emptyRange(), errors: emptyRange(), samples: emptyRange() }
  const encoded: Encoded = { outcomes: [], rows, times }
  const added = new Map<string, { batch: Batch; spool: string; ranges: Ranges }>()
  for (const batch of batches) encoded.outcomes.push(encodeBatch(state, encoded, batch, added))
  for (const { batch, spool, ranges } of added.values()) {
    for (const [first, last] of ranges) {
      for (const text of [batch.agentId, batch.kind]) rows.batches.plain(text)
      rows.batches.text(spool)
      for (const number of [first, last, now]) rows.batches.plain(String(number))
      rows.batches.endRow()
    }
  }
  return encoded
}

function encodeBatch(
  state: State,
  encoded: Encoded,
  batch: Batch,
  added: Map<string, { batch: Batch; spool: string; ranges: Ranges }>,
): Taken {
  const read = batch.kind === 'logs' ? readLogs(batch.bytes, names) : readMetrics(batch.bytes)
  if (!read.ok) return read
  const { spool, sequence } = read
  const { agentId, kind } = batch
  const ranges = state.marks.get(markKey(agentId, kind, spool))?.ranges ?? []
  if (spool !== '') {
    const key = markKey(agentId, kind, spool)
    if (isTaken(ranges, sequence)) return { ok: true, rows: 0 }
    addMark(state, { agent: agentId, kind, spool, ranges: [[sequence, sequence]], at: batch.receivedAt })
    added.set(key, { batch, spool, ranges: take(added.get(key)?.ranges ?? [], [[sequence, sequence]]) })
  }
  let count = 0
  if ('each' in read) {
    read.each((entry) => {
      encodeEntry(state, encoded, batch, entry)
      count++
    })
    count += encodeRows(state, encoded, batch, read)
  } else {
    // Of what was known before this batch: its own samples are of one moment, and say nothing of each other's past. Nor do those of the
    // batches that it goes on from.
    const known = new Map<string, boolean>()
    const goesOn = read.since > 0 && read.since < sequence
    const wasHeard = goesOn ? read.since === 1 || ranges.some(([first]) => first < read.since) : sequence === 1 || ranges.length > 0
    for (const sample of read.samples) {
      const { name } = sample
      const time = sample.timestamp || read.timestamp || batch.receivedAt
      if (!known.has(name)) known.set(name, !goesOn && knowsName(state, agentId, spool, name))
      // A counter of a spool begins at zero; any other that was there before anybody looked may have begun long ago.
      const isFollowed = wasHeard || known.get(name)!
      if (encodeSample(state, encoded, batch, { ...sample, timestamp: time }, { spool, sequence, isFollowed })) count++
    }
  }
  return { ok: true, rows: count }
}

function beginRow(state: State, tsv: Tsv, range: Range, time: number, agentId: string): void {
  tsv.plain(String(time))
  tsv.plain(String(state.seq++))
  tsv.plain(agentId)
  widen(range, { min: time, max: time })
}

function encodeEntry(state: State, { rows, times }: Encoded, batch: Batch, view: EntryView): void {
  const time = view.timestamp || batch.receivedAt
  const { bytes, fields, level, message } = view
  if (!isAccess(view)) {
    beginRow(state, rows.errors, times.errors, time, batch.agentId)
    rows.errors.bytes(bytes, Math.max(level.start, 0), Math.max(level.end, 0), 50)
    rows.errors.bytes(bytes, Math.max(message.start, 0), Math.max(message.end, 0), longestMessage)
    rows.errors.endRow()
    return
  }
  beginRow(state, rows.access, times.access, time, batch.agentId)
  const line = fields[methodField]!.start < 0 || fields[uriField]!.start < 0 ? requestLine(view) : undefined
  for (let index = 0; index < cells.length; index++) {
    const span = fields[index]!
    const said = index === methodField ? line?.[0] : index === uriField ? line?.[1] : index === protocolField ? line?.[2] : undefined
    if (span.start >= 0) writeCell(rows.access, cells[index]!, bytes, span.start, span.end)
    else if (said === undefined) rows.access.none()
    else rows.access.text(said.slice(0, 8192))
  }
  rows.access.endRow()
}

function encodeRows(state: State, { rows: { access }, times }: Encoded, { agentId }: Batch, { rows, bytes }: LogsView): number {
  let count = 0
  eachRow(rows, (start, firstEnd, end, isPlain) => {
    beginRow(state, access, times.access, numberAt(bytes, start, firstEnd), agentId)
    if (isPlain) access.cells(bytes, firstEnd + 1, end)
    else {
      for (const [index, text] of cellsOf(bytes, firstEnd + 1, end).entries()) {
        if (text === undefined) access.none()
        else writeText(access, cells[index]!, text)
      }
    }
    access.endRow()
    count++
  })
  return count
}

function writeText(tsv: Tsv, cell: Cell, text: string): void {
  const bytes = Buffer.from(text)
  writeCell(tsv, cell, bytes, 0, bytes.length)
}

// What an agent that is not ours sends is an access log entry if it has what only those have.
function isAccess({ bytes, fields, level }: EntryView): boolean {
  if (bytes.toString('latin1', Math.max(level.start, 0), Math.max(level.end, 0)) === 'access') return true
  const log = fields[logField]!
  if (log.start >= 0 && bytes.toString('latin1', log.start, log.end) === 'error') return false
  return fields[statusField]!.start >= 0 || (fields[uriField]!.start >= 0 && fields[addressField]!.start >= 0)
}

function requestLine({ bytes, message }: EntryView): string[] | undefined {
  const match = /^([A-Z]{1,20}) (\S+) (HTTP\/[\d.]{1,5})$/.exec(
    bytes.toString('utf8', Math.max(message.start, 0), Math.max(message.end, 0)),
  )
  return match?.slice(1)
}

function writeCell(tsv: Tsv, cell: Cell, bytes: Buffer, start: number, end: number): void {
  switch (cell) {
    case 'text':
      tsv.bytes(bytes, start, end)
      return
    case 'integer':
      if (isDigits(bytes, start, end, 15)) tsv.bytes(bytes, start, end)
      else tsv.none()
      return
    case 'status':
      if (isDigits(bytes, start, end, 3)) tsv.bytes(bytes, start, end)
      else tsv.none()
      return
    case 'number': {
      const number = end - start > 30 || end === start ? Number.NaN : Number(bytes.toString('latin1', start, end))
      if (Number.isFinite(number) && number >= 0) tsv.plain(String(number))
      else tsv.none()
      return
    }
    default:
      cell satisfies never
  }
}

function isDigits(bytes: Uint8Array, start: number, end: number, most: number): boolean {
  if (end === start || end - start > most) return false
  for (let at = start; at < end; at++) if (bytes[at]! < 0x30 || bytes[at]! > 0x39) return false
  return true
}

function encodeSample(
  state: State,
  { rows, times }: Encoded,
  { agentId }: Batch,
  { name, value, timestamp, labels, cumulative }: Sample,
  { spool, sequence, isFollowed }: { spool: string; sequence: number; isFollowed: boolean },
): boolean {
  const text = JSON.stringify(Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))))
  if (text.length > longestLabels) return false
  const series = { agent: agentId, spool, name, labels: text }
  let rise: number | undefined
  let began: number | undefined
  if (cumulative) {
    if (value < 0) return false
    const now = { value, sequence, time: timestamp }
    const before = state.counters.get(counterKey(series))
    rise = increase(before, now, isFollowed)
    // Of one that is late nothing more is known than of the later one.
    began = rise === undefined ? before?.began : beginningOf(before, now, isFollowed, spoolBegan(state, agentId, spool))
    if (rise !== undefined && !setCounter(state, { ...series, ...now, began: began!, seq: state.seq })) return false
  }
  const { samples } = rows
  beginRow(state, samples, times.samples, timestamp, agentId)
  samples.text(spool)
  samples.plain(String(sequence))
  samples.text(name)
  samples.text(text)
  for (const label of ['status_class', 'virtual_host']) {
    if (labels[label] === undefined) samples.none()
    else samples.text(labels[label].slice(0, 200))
  }
  samples.plain(String(value))
  for (const number of [rise, began]) {
    if (number === undefined) samples.none()
    else samples.plain(String(number))
  }
  samples.endRow()
  return true
}
