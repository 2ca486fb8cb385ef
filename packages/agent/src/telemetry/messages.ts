import type { BatchKind, Sample } from '../link/batches.ts'

/** What became of a batch at the master. */
export type Outcome = 'stored' | 'later' | 'refused'

/** Names a batch. */
export interface BatchName {
  kind: BatchKind
  spool: string
  sequence: number
}

/** What the thread that follows the logs is started with. */
export interface ThreadSetting {
  /** Beside it goes what a rotation of others would take away. */
  checkpoint: string
  accessLog: string
  /** Absent where the error log is not known. */
  errorLog: string | undefined
  /** Whether the error log is the host's: what it held before is none of ours. */
  isForeign: boolean
  processName: string
  /** When this process began, in milliseconds since the epoch. */
  startedAt: number
  limits: TelemetryLimits
}

export interface TelemetryLimits {
  /** Bytes of a log that may wait to be read before its oldest lines are let go. */
  mostBacklog: number
  /** Bytes after which a log is rotated. */
  rotateAt: number
  /** Milliseconds between two measurements. */
  measureEvery: number
  /** Milliseconds between two looks at the logs. */
  lookEvery: number
}

const MB = 2 ** 20

/** What holds unless somebody says otherwise, where so many bytes of a log may wait. Whole files are let go, so none is a large part of that. */
export function telemetryLimits(mostBacklog = 256 * MB): TelemetryLimits {
  return { mostBacklog, rotateAt: Math.min(64 * MB, mostBacklog / 4), measureEvery: 10_000, lookEvery: 1000 }
}

/** What that thread is told. */
export type ToThread =
  | { kind: 'session'; open: true; takesRows: boolean }
  | { kind: 'session'; open: false }
  | { kind: 'outcome'; batch: BatchName; outcome: Outcome }
  | { kind: 'gauges'; samples: Sample[] }
  | { kind: 'stop' }

/** What it says. */
export type FromThread =
  | { kind: 'batch'; batch: BatchName; bytes: Uint8Array<ArrayBuffer> }
  | { kind: 'trouble'; message: string | undefined }
  /** Lines that were never read cannot be read any more. */
  | { kind: 'loss'; message: string }
