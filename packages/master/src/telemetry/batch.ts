/** A batch of telemetry as it came over the wire, still encoded. */
export interface Batch {
  kind: 'logs' | 'metrics'
  agentId: string
  bytes: Uint8Array
  /** Milliseconds since the epoch: the time of what says none. */
  receivedAt: number
}

/** What became of a batch: it is durable, or it is not and why. */
export type Taken = { ok: true; rows: number } | { ok: false; reason: string }
