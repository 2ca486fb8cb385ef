import type { LogBatch, MetricsBatch } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/** Why a batch of metrics cannot be believed, or undefined. */
export function refuseMetrics(batch: MetricsBatch): string | undefined {
  if (badTime(batch.timestamp)) return 'timestamp must be milliseconds since the epoch'
  for (const [index, metric] of batch.metrics.entries()) {
    if (metric.name === '' || metric.name.length > 200) return `metrics.${index}.name must be 1 to 200 characters`
    if (!Number.isFinite(metric.value)) return `metrics.${index}.value must be a finite number`
    if (badTime(metric.timestamp)) return `metrics.${index}.timestamp must be milliseconds since the epoch`
  }
  return undefined
}

/** Why a batch of log entries cannot be believed, or undefined. */
export function refuseLogs(batch: LogBatch): string | undefined {
  const bad = batch.entries.findIndex((entry) => badTime(entry.timestamp))
  return bad === -1 ? undefined : `entries.${bad}.timestamp must be milliseconds since the epoch`
}

// Milliseconds up to the largest that a date can hold (ECMAScript, time values).
function badTime(milliseconds: bigint): boolean {
  return milliseconds < 0n || milliseconds > 8_640_000_000_000_000n
}
