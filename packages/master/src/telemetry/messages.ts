import type { Taken } from './batch.ts'
import type { Limits } from './open-store.ts'
import type { Query } from './query.ts'

/** The descriptor of the pipe through which the process of the telemetry store gets batches. */
export const batchPipe = 4

/** What the master asks of that process besides. */
export type Order = { kind: 'ask'; id: number; query: Query } | { kind: 'cancel'; id: number } | { kind: 'close' }

/** What that process says. */
export type Report =
  | { kind: 'ready'; files: number; quarantined: number }
  | { kind: 'taken'; outcomes: { id: number; taken: Taken }[] }
  | { kind: 'answer'; id: number; json: string }
  | { kind: 'failed'; id: number; reason: string }
  | { kind: 'log'; level: 'info' | 'warn' | 'error'; message: string }
  /** It ends, because a file was put aside: it can be started again at once. */
  | { kind: 'damaged'; message: string }

/** What it is started with. */
export interface Setting {
  directory: string
  limits: Limits
}
