export { logRowCells } from '@nxmesh/proto/log-rows'

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

// The numbers of agent.proto; `batches.test.ts` reads them with the generated code, which would cost the thread megabytes.
const envelope = { agentId: 1, timestamp: 2, metrics: 6, logs: 7 } as const
const logBatch = { entries: 1, spool: 100, sequence: 101, rows: 102 } as const
const logEntry = { timestamp: 1, level: 2, message: 3, fields: 4 } as const
const metricsOf = { timestamp: 1, metrics: 2, spool: 101, sequence: 102, since: 103 } as const
const metric = { name: 1, value: 2, timestamp: 3, labels: 4, type: 5 } as const
const types = { gauge: 1, counter: 2, histogram: 3 } as const
// Of an entry of a map. Source: protobuf.dev/programming-guides/encoding, "Maps".
const pair = { key: 1, value: 2 } as const

/** A LogBatch being written: entries and rows first, then its number. */
export interface LogBatchWriter {
  add(entry: LogEntry): void
  /** Requests as rows, all that the batch has. */
  rows(bytes: Uint8Array): void
  finish(spool: string, sequence: number): Uint8Array<ArrayBuffer>
}

export function logBatchWriter(): LogBatchWriter {
  const out = protoWriter()
  return {
    add(entry) {
      const whole = out.open(logBatch.entries)
      out.integer(logEntry.timestamp, entry.time)
      out.text(logEntry.level, entry.level)
      out.text(logEntry.message, entry.message)
      for (const [name, text] of entry.fields) writePair(out, logEntry.fields, name, text)
      out.close(whole)
    },
    rows(bytes) {
      out.bytes(logBatch.rows, bytes)
    },
    finish(spool, sequence) {
      out.text(logBatch.spool, spool)
      out.integer(logBatch.sequence, sequence)
      return out.take()
    },
  }
}

/** The bytes of a MetricsBatch of the present. */
export function metricsBatch(
  samples: readonly Sample[],
  { spool, sequence, since, time }: { spool: string; sequence: number; since: number; time: number },
): Uint8Array<ArrayBuffer> {
  const out = protoWriter()
  out.integer(metricsOf.timestamp, time)
  for (const sample of samples) {
    const whole = out.open(metricsOf.metrics)
    out.text(metric.name, sample.name)
    out.double(metric.value, sample.value)
    out.integer(metric.timestamp, time)
    for (const [name, text] of Object.entries(sample.labels ?? {})) writePair(out, metric.labels, name, text)
    out.integer(metric.type, types[sample.type])
    out.close(whole)
  }
  out.text(metricsOf.spool, spool)
  out.integer(metricsOf.sequence, sequence)
  out.integer(metricsOf.since, since)
  return out.take()
}

/** The bytes of an AgentMessage with a batch that is encoded already. */
export function envelopeOf(agentId: string, time: bigint, kind: BatchKind, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const out = protoWriter()
  out.text(envelope.agentId, agentId)
  out.integer(envelope.timestamp, Number(time))
  out.bytes(envelope[kind], bytes)
  return out.take()
}

function writePair(out: ProtoWriter, field: number, name: string, text: string): void {
  const whole = out.open(field)
  out.text(pair.key, name)
  out.text(pair.value, text)
  out.close(whole)
}
