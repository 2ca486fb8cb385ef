import type { NginxFacts } from '@nxmesh/nginx/facts'
import type { Addresses } from './addresses.ts'
import type { DataPaths } from './durable.ts'
import type { Answerer } from './health-checks/answerer.ts'
import type { MarkStore } from './health-checks/marks.ts'
import type { Installation } from './installation.ts'
import type { Ledger } from './ledger.ts'
import type { Names } from './names/names.ts'
import type { PrivateServer } from './private-server.ts'

export const faultPoints = [
  'accepting',
  'accepted',
  'half-written',
  'written',
  'tested',
  'switching',
  'switched',
  'reloaded',
  'proved',
  'marked',
  'pruned',
  'restoring',
  'restored',
] as const

/** The named steps of an apply; a test program may end the agent at any of them. */
export type FaultPoint = (typeof faultPoints)[number]

export type Log = (level: 'info' | 'warn' | 'error', message: string, fields?: Record<string, unknown>) => void

/** What the parts of a running agent share. */
export interface Scope {
  paths: DataPaths
  ledger: Ledger
  installation: Installation
  /** The main file of the host's own nginx, whether or not that is what runs. */
  hostConf: string
  factsOf: (binary: string) => Promise<NginxFacts>
  ipv6: boolean
  addresses: Addresses
  workerUser: string | undefined
  log: Log
  server: PrivateServer
  marks: MarkStore
  names: Names
  /** Answers nginx which servers of an upstream take requests, where that can be had. */
  answers: Pick<Answerer, 'address' | 'expect'> | undefined
  at: (point: FaultPoint) => void | Promise<void>
}
