import type { KnownAgent } from './resource.ts'

export const signals = ['logs', 'metrics'] as const

export type Signal = (typeof signals)[number]

/** Where to and how logs and metrics are exported. It may hold secrets. */
export interface ExportSetting {
  /** The addresses that signals are posted to; one that is not there is not exported. */
  endpoints: Partial<Record<Signal, string>>
  headers: Record<string, string>
  compression: 'gzip' | 'none'
  /** Certificates in PEM that are trusted in the place of the usual ones. */
  ca?: string | undefined
}

/** What the main process gives for the export. */
export interface Exporting {
  setting: ExportSetting
  /** What is known of agents. Rejects while the database is away. */
  describe(agents: string[]): Promise<KnownAgent[]>
}

/** How the export of a signal stands. Counts are of rows, since the export was first set up. */
export interface SignalStatus {
  /** Accepted by the receiver. */
  exported: number
  /** Refused by it for good, and so dropped. */
  refused: number
  /** Deleted from the store before they were exported. */
  skipped: number
  /** Since when nothing could be delivered, in milliseconds since the epoch, and why; absent while it can. */
  failing?: { since: number; reason: string } | undefined
}
