import type { TopBy } from '@nxmesh/model/access-log'

/** From when on and until before when, in milliseconds since the epoch. */
export interface Window {
  from: number
  to: number
}

/** Which rows are meant: only those of these agents, which are all that whoever asks may see. */
export interface Scope extends Window {
  agents: string[]
}

export interface AccessFilters extends Scope {
  status?: [least: number, most: number] | undefined
  host?: string | undefined
  method?: string | undefined
  uri?: string | undefined
  remote_addr?: string | undefined
  request_id?: string | undefined
  virtual_host?: string | undefined
  q?: string | undefined
}

export interface ErrorFilters extends Scope {
  level?: string | undefined
  q?: string | undefined
}

/** The last row of the page before. */
export interface Position {
  ts: number
  seq: number
}

/** What one agent served in a window; times are in milliseconds. */
export interface AgentRates {
  agent: string
  requests: number
  server_errors: number
  dropped: number
  p99: number | null
}

/** The log that is followed, and what of it. */
export type Followed = { log: 'access'; filters: AccessFilters } | { log: 'error'; filters: ErrorFilters }

/** What can be asked of the store. Each is answered by JSON as the API shows it. */
export type Query =
  | { kind: 'access-logs'; filters: AccessFilters; limit: number; after?: Position | undefined }
  | { kind: 'error-logs'; filters: ErrorFilters; limit: number; after?: Position | undefined }
  | { kind: 'top'; filters: AccessFilters; by: TopBy; limit: number }
  | ({ kind: 'tail'; limit: number; from?: number | undefined } & Followed)
  | { kind: 'rates'; scope: Scope; withTimes: boolean }
  | { kind: 'metrics'; scope: Scope; step?: number | undefined; now: number }

/** Asks for what agents measured last, as Prometheus reads it, after a text that is there already. */
export interface Exposition {
  kind: 'exposition'
  head: string
  /** Those of each agent. */
  labels: ReadonlyMap<string, Record<string, string>>
  /** Names of metrics that are in the head. */
  taken: string[]
  now: number
}
