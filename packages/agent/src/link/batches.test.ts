import { fromBinary } from '@bufbuild/protobuf'
import { AgentMessageSchema, LogBatchSchema, MetricsBatchSchema, MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { envelopeOf, logBatchWriter, metricsBatch } from './batches.ts'

// Half a surrogate pair is no text.
const text = fc.string({ unit: 'binary', maxLength: 300 })
const time = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const entry = fc.record({ time, level: text, message: text, fields: fc.array(fc.tuple(text, text), { maxLength: 20 }) })

test('what is written by hand is what protobuf reads', () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 50 }), text, time, (entries, spool, sequence) => {
      const batch = logBatchWriter()
      for (const each of entries) batch.add(each)
      const message = fromBinary(AgentMessageSchema, envelopeOf('agent', 1n, 'logs', batch.finish(spool, sequence)))
      expect(message).toMatchObject({
        agentId: 'agent',
        timestamp: 1n,
        payload: { case: 'logs', value: { spool, sequence: BigInt(sequence) } },
      })
      const read = fromBinary(LogBatchSchema, logsOf(entries, spool, sequence)).entries
      expect(read.map((each) => ({ ...each, timestamp: Number(each.timestamp) }))).toMatchObject(
        entries.map(({ fields, time: timestamp, ...rest }) => ({ ...rest, timestamp, fields: Object.fromEntries(fields) })),
      )
    }),
  )
})

function logsOf(entries: Parameters<ReturnType<typeof logBatchWriter>['add']>[0][], spool: string, sequence: number): Uint8Array {
  const batch = logBatchWriter()
  for (const each of entries) batch.add(each)
  return batch.finish(spool, sequence)
}

test('samples of every type are what protobuf reads', () => {
  const samples = [
    { name: 'nginx_up', value: 1, type: 'gauge' },
    { name: 'nginx_http_requests_total', value: 2 ** 40 + 0.5, type: 'counter', labels: { status_class: '2xx', virtual_host: '' } },
    { name: 'nginx_http_request_duration_seconds_bucket', value: 0, type: 'histogram', labels: { le: '+Inf' } },
  ] as const
  const read = fromBinary(MetricsBatchSchema, metricsBatch(samples, { spool: 's', sequence: 7, since: 6, time: 5 }))
  expect(read).toMatchObject({ timestamp: 5n, spool: 's', sequence: 7n, since: 6n })
  const types = { gauge: MetricType.GAUGE, counter: MetricType.COUNTER, histogram: MetricType.HISTOGRAM }
  expect(read.metrics).toMatchObject(
    samples.map(({ labels = {}, ...rest }: (typeof samples)[number] & { labels?: object }) => ({
      ...rest,
      labels,
      timestamp: 5n,
      type: types[rest.type],
    })),
  )
})
