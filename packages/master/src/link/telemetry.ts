import { fromBinary } from '@bufbuild/protobuf'
import {
  AgentMessageSchema,
  LogBatchSchema,
  LogEntrySchema,
  MetricsBatchSchema,
  MetricType,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type LogRows, readRows } from './log-rows.ts'
import { WireReader } from './wire.ts'

/** What is common to batches: which spool they are from, and their number in it; 0 without a spool. */
export interface Numbered {
  spool: string
  sequence: number
}

/** An entry of a log in the bytes it came in: where its texts begin and end, twice -1 for one that is not there. */
export interface EntryView {
  bytes: Buffer
  /** Milliseconds since the epoch; 0 if it has none. */
  timestamp: number
  level: Span
  message: Span
  /** By the index of their names. */
  fields: Span[]
}

interface Span {
  start: number
  end: number
}

export interface Sample {
  name: string
  value: number
  /** Milliseconds since the epoch; 0 if it has none. */
  timestamp: number
  labels: Record<string, string>
  cumulative: boolean
}

export type Read<T> = ({ ok: true } & T) | { ok: false; reason: string }

const longestSpool = 100
// The largest time that a date can hold (ECMAScript, time values).
const latest = 8_640_000_000_000_000

const message = AgentMessageSchema.field
const batch = LogBatchSchema.field
const payloads = new Set(AgentMessageSchema.oneofs.flatMap(({ fields }) => fields.map(({ number }) => number)))
const entry = LogEntrySchema.field

/** A message of an agent that is a batch of telemetry, without a look inside; undefined for any other. */
export function peekTelemetry(
  bytes: Uint8Array,
): { agentId: string; timestamp: bigint; batch: 'logs' | 'metrics'; bytes: Uint8Array } | undefined {
  const reader = new WireReader(bytes)
  const found = { agentId: '', timestamp: 0n }
  let kind: 'logs' | 'metrics' | undefined
  let inner: Uint8Array | undefined
  while (reader.next()) {
    const { field, type } = reader
    if (field === message.agentId.number && type === 2) {
      const end = reader.span()
      found.agentId = reader.bytes.toString('utf8', reader.at, end)
      reader.at = end
    } else if (field === message.timestamp.number && type === 0) {
      const start = reader.at
      const value = reader.varint()
      found.timestamp = Number.isSafeInteger(value) ? BigInt(value) : exactly(reader.bytes, start, reader.at)
    } else if (payloads.has(field) && type === 2) {
      const end = reader.span()
      const part = reader.bytes.subarray(reader.at, end)
      const now = field === message.logs.number ? 'logs' : field === message.metrics.number ? 'metrics' : undefined
      // As protobuf has it: the last payload counts, and what comes in parts is the parts one after another.
      inner = now === kind && inner ? Buffer.concat([inner, part]) : part
      kind = now
      reader.at = end
    } else reader.skip()
  }
  return kind && inner ? { ...found, batch: kind, bytes: inner } : undefined
}

/** The timestamp of a batch of metrics, which names a call that brings one; undefined for bytes that are none. */
export function peekBatchTimestamp(bytes: Uint8Array): bigint | undefined {
  try {
    const reader = new WireReader(bytes)
    let timestamp = 0n
    while (reader.next()) {
      const start = reader.at
      const isTimestamp = reader.field === MetricsBatchSchema.field.timestamp.number && reader.type === 0
      reader.skip()
      if (isTimestamp) timestamp = exactly(reader.bytes, start, reader.at)
    }
    return timestamp
  } catch {
    return undefined
  }
}

function exactly(bytes: Buffer, start: number, end: number): bigint {
  let value = 0n
  for (let at = end - 1; at >= start; at--) value = (value << 7n) | BigInt(bytes[at]! & 0x7f)
  return BigInt.asIntN(64, value)
}

/** The names of fields that are read, and which of them stood where in the entry before: most entries name the same in the same order. */
export interface FieldNames {
  bytes: Buffer[]
  index: ReadonlyMap<string, number>
  places: number[]
}

export function fieldNamesOf(names: readonly string[]): FieldNames {
  return { bytes: names.map((name) => Buffer.from(name)), index: new Map(names.map((name, index) => [name, index])), places: [] }
}

/** A batch of logs. `each` visits its entries with the same view, changed for each. */
export interface LogsView extends Numbered {
  each(visit: (view: EntryView) => void): void
  rows: LogRows
  bytes: Buffer
}

/** Reads a batch of logs in place. */
export function readLogs(bytes: Uint8Array, names: FieldNames): Read<LogsView> {
  const numbered: Numbered = { spool: '', sequence: 0 }
  let rows: LogRows = { places: [] }
  const entries: number[] = []
  const reader = new WireReader(bytes)
  try {
    while (reader.next()) {
      const { field, type } = reader
      if (field === batch.entries.number && type === 2) {
        const end = reader.span()
        entries.push(reader.at, end)
        if (badTime(timestampOf(reader, end))) {
          return { ok: false, reason: `entries.${entries.length / 2 - 1}.timestamp must be milliseconds since the epoch` }
        }
      } else if (field === batch.rows.number && type === 2) {
        const end = reader.span()
        const read = readRows(reader.bytes, reader.at, end)
        if ('reason' in read) return { ok: false, reason: read.reason }
        rows = read
        reader.at = end
      } else if (field === batch.spool.number && type === 2) {
        const end = reader.span()
        numbered.spool = reader.bytes.toString('utf8', reader.at, end)
        reader.at = end
      } else if (field === batch.sequence.number && type === 0) numbered.sequence = reader.varint()
      else reader.skip()
    }
  } catch {
    return { ok: false, reason: 'logs cannot be read' }
  }
  const refused = refuseNumber(numbered)
  if (refused !== undefined) return { ok: false, reason: refused }
  const view: EntryView = {
    bytes: reader.bytes,
    timestamp: 0,
    level: nowhere(),
    message: nowhere(),
    fields: names.bytes.map(nowhere),
  }
  return {
    ok: true,
    ...numbered,
    rows,
    bytes: reader.bytes,
    each(visit) {
      for (let index = 0; index < entries.length; index += 2) {
        reader.at = entries[index]!
        readEntry(reader, entries[index + 1]!, view, names)
        visit(view)
      }
    },
  }
}

// Goes over a whole entry, so that what `readEntry` throws on is found before anything is stored.
function timestampOf(reader: WireReader, end: number): number {
  const outer = reader.end
  reader.end = end
  let timestamp = 0
  while (reader.next()) {
    if (reader.field === entry.timestamp.number && reader.type === 0) timestamp = reader.varint()
    else reader.skip()
  }
  reader.end = outer
  return timestamp
}

function readEntry(reader: WireReader, end: number, view: EntryView, names: FieldNames): void {
  reader.end = end
  view.timestamp = 0
  forget(view.level)
  forget(view.message)
  for (const span of view.fields) forget(span)
  let place = 0
  while (reader.next()) {
    const { field, type } = reader
    if (field === entry.timestamp.number && type === 0) view.timestamp = reader.varint()
    else if (field === entry.level.number && type === 2) takeSpan(reader, view.level)
    else if (field === entry.message.number && type === 2) takeSpan(reader, view.message)
    else if (field === entry.fields.number && type === 2) {
      const last = reader.span()
      readPair(reader, last, view, names, place++)
      reader.at = last
      reader.end = end
    } else reader.skip()
  }
}

// A pair that is none is left out; it cannot keep the batch from being stored any more.
function readPair(reader: WireReader, end: number, view: EntryView, names: FieldNames, place: number): void {
  reader.end = end
  let index: number | undefined
  let [start, stop] = [end, end]
  try {
    while (reader.next()) {
      if (reader.type !== 2) {
        reader.skip()
        continue
      }
      const last = reader.span()
      if (reader.field === 1) index = indexOf(reader, last, names, place)
      else if (reader.field === 2) {
        start = reader.at
        stop = last
      }
      reader.at = last
    }
  } catch {
    return
  }
  if (index === undefined) return
  view.fields[index]!.start = start
  view.fields[index]!.end = stop
}

function indexOf({ bytes, at }: WireReader, end: number, names: FieldNames, place: number): number | undefined {
  const guess = names.places[place]
  if (guess !== undefined && isName(names.bytes[guess]!, bytes, at, end)) return guess
  if (end - at > 64) return undefined
  const index = names.index.get(bytes.toString('latin1', at, end))
  if (index !== undefined && place < 64) names.places[place] = index
  return index
}

function isName(name: Buffer, bytes: Buffer, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let at = 0; at < name.length; at++) if (name[at] !== bytes[start + at]) return false
  return true
}

function takeSpan(reader: WireReader, span: Span): void {
  span.end = reader.span()
  span.start = reader.at
  reader.at = span.end
}

function nowhere(): Span {
  return { start: -1, end: -1 }
}

function forget(span: Span): void {
  span.start = -1
  span.end = -1
}

/** A batch of metrics. */
interface Measured extends Numbered {
  /** Milliseconds since the epoch; 0 if it has none. */
  timestamp: number
  /** The number of the first of the batches that tell all counters together; 0 where one tells them all. */
  since: number
  samples: Sample[]
}

/** Reads a batch of metrics. */
export function readMetrics(bytes: Uint8Array): Read<Measured> {
  try {
    const { metrics, timestamp, spool, sequence, since } = fromBinary(MetricsBatchSchema, bytes, { readUnknownFields: false })
    const numbered = { spool, sequence: Number(sequence) }
    const samples = metrics.map((metric) => ({
      name: metric.name,
      value: metric.value,
      timestamp: Number(metric.timestamp),
      labels: metric.labels,
      cumulative: isCumulative(metric.type, metric.name),
    }))
    const reason = refuseMetrics(Number(timestamp), samples) ?? refuseNumber(numbered)
    if (reason !== undefined) return { ok: false, reason }
    return { ok: true, ...numbered, timestamp: Number(timestamp), since: Number(since), samples }
  } catch {
    return { ok: false, reason: 'metrics cannot be read' }
  }
}

// Not every agent says what its metrics are; names tell by the conventions of Prometheus.
function isCumulative(type: MetricType, name: string): boolean {
  return type === MetricType.METRIC_TYPE_UNSPECIFIED ? name.endsWith('_total') : type !== MetricType.GAUGE
}

function refuseMetrics(timestamp: number, samples: Sample[]): string | undefined {
  if (badTime(timestamp)) return 'timestamp must be milliseconds since the epoch'
  for (const [index, sample] of samples.entries()) {
    if (sample.name === '' || sample.name.length > 200) return `metrics.${index}.name must be 1 to 200 characters`
    if (!Number.isFinite(sample.value)) return `metrics.${index}.value must be a finite number`
    if (badTime(sample.timestamp)) return `metrics.${index}.timestamp must be milliseconds since the epoch`
  }
  return undefined
}

function refuseNumber({ spool, sequence }: Numbered): string | undefined {
  if (spool.length > longestSpool) return `spool must be at most ${longestSpool} characters`
  if (spool !== '' && (!Number.isSafeInteger(sequence) || sequence < 1)) return 'sequence must be from 1 to 2^53 - 1 where there is a spool'
  return undefined
}

function badTime(milliseconds: number): boolean {
  return milliseconds < 0 || milliseconds > latest
}
