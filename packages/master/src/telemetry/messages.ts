import type { Taken } from './batch.ts'
import type { Limits } from './open-store.ts'
import type { KnownAgent } from './otlp/resource.ts'
import type { ExportSetting, Signal, SignalStatus } from './otlp/setting.ts'
import type { Exposition, Query } from './query.ts'

/** The descriptor of the pipe through which the process of the telemetry store gets batches. */
export const batchPipe = 4

/** What the master asks of that process besides. */
export type Order =
  | { kind: 'ask'; id: number; query: Query | Exposition }
  | { kind: 'cancel'; id: number }
  | { kind: 'close' }
  /** The first order where there is to be an export: it holds secrets, which others could read in the arguments of a process. */
  | { kind: 'export'; setting: ExportSetting }
  /** The answer to `describe`; without agents while the database is away. */
  | { kind: 'described'; id: number; agents?: KnownAgent[] }

/** What that process says. */
export type Report =
  | { kind: 'ready'; files: number; quarantined: number }
  | { kind: 'taken'; outcomes: { id: number; taken: Taken }[] }
  | { kind: 'answer'; id: number; content: string | Uint8Array }
  | { kind: 'failed'; id: number; reason: string }
  | { kind: 'log'; level: 'info' | 'warn' | 'error'; message: string }
  | { kind: 'describe'; id: number; agents: string[] }
  | { kind: 'exports'; signal: Signal; status: SignalStatus }
  /** It ends, because a file was put aside: it can be started again at once. */
  | { kind: 'damaged'; message: string }

/** What it is started with. */
export interface Setting {
  directory: string
  limits: Limits
  /** Whether an order to export follows. */
  exports: boolean
}
