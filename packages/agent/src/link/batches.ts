import {
  AgentMessageSchema,
  LogBatchSchema,
  LogEntrySchema,
  MetricSchema,
  MetricsBatchSchema,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type ProtoWriter, protoWriter } from './proto-writer.ts'

// Written by hand: a host that serves 50,000 requests a second has as many entries, each with some seventeen fields.

export type BatchKind = 'logs' | 'metrics'

/** A line of a log, as it goes to the master. Time is in milliseconds since the epoch. */
export interface LogEntry {
  time: number
  level: string
  message: string
  fields: readonly (readonly [name: string, value: string])[]
}

/** The value of one series. */
export interface Sample {
  name: string
  value: number
  type: 'gauge' | 'counter' | 'histogram'
  labels?: Readonly<Record<string, string>>
}

const { entries, spool: logSpool, sequence: logSequence } = LogBatchSchema.field
const { timestamp, level, message, fields } = LogEntrySchema.field
const batch = MetricsBatchSchema.field
const metric = MetricSchema.field
const envelope = AgentMessageSchema.field
const types = { gauge: 1, counter: 2, histogram: 3 } as const
// Of an entry of a map. Source: protobuf.dev/programming-guides/encoding, "Maps".
const [key, value] = [1, 2]

/** A LogBatch being written: entries first, then its number. */
export interface LogBatchWriter {
  add(entry: LogEntry): void
  finish(spool: string, sequence: number): Uint8Array<ArrayBuffer>
}

export function logBatchWriter(): LogBatchWriter {
  const out = protoWriter()
  return {
    add(entry) {
      const whole = out.open(entries.number)
      out.integer(timestamp.number, entry.time)
      out.text(level.number, entry.level)
      out.text(message.number, entry.message)
      for (const [name, text] of entry.fields) writePair(out, fields.number, name, text)
      out.close(whole)
    },
    finish(spool, sequence) {
      out.text(logSpool.number, spool)
      out.integer(logSequence.number, sequence)
      return out.take()
    },
  }
}

/** The bytes of a MetricsBatch of the present. */
export function metricsBatch(
  samples: readonly Sample[],
  { spool, sequence, time }: { spool: string; sequence: number; time: number },
): Uint8Array<ArrayBuffer> {
  const out = protoWriter()
  out.integer(batch.timestamp.number, time)
  for (const sample of samples) {
    const whole = out.open(batch.metrics.number)
    out.text(metric.name.number, sample.name)
    out.double(metric.value.number, sample.value)
    out.integer(metric.timestamp.number, time)
    for (const [name, text] of Object.entries(sample.labels ?? {})) writePair(out, metric.labels.number, name, text)
    out.integer(metric.type.number, types[sample.type])
    out.close(whole)
  }
  out.text(batch.spool.number, spool)
  out.integer(batch.sequence.number, sequence)
  return out.take()
}

/** The bytes of an AgentMessage with a batch that is encoded already. */
export function envelopeOf(agentId: string, time: bigint, kind: BatchKind, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = protoWriter()
  out.text(envelope.agentId.number, agentId)
  out.integer(envelope.timestamp.number, Number(time))
  out.bytes(envelope[kind].number, bytes)
  return out.take()
}

function writePair(out: ProtoWriter, field: number, name: string, text: string): void {
  const pair = out.open(field)
  out.text(key!, name)
  out.text(value!, text)
  out.close(pair)
}
