import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import type { AgentWrites } from './agent-writes.ts'
import type { Authority } from './authority.ts'
import type { Resolver } from './certificates/dns/resolver.ts'
import type { AcmeServers } from './certificates/servers.ts'
import type { Database } from './db/schema.ts'
import type { DocumentTotals } from './documents.ts'
import type { Explainer } from './explain/explainer.ts'
import type { LintMemory } from './findings/linted.ts'
import type { Sessions } from './link/sessions.ts'
import type { Monitoring } from './monitoring/monitoring.ts'
import type { Sender } from './notifications/sender.ts'
import type { Origin } from './origin.ts'
import type { Outbound } from './outbound/outbound.ts'
import type { RateLimit } from './rate-limit.ts'
import type { Wake } from './reconcilers.ts'
import type { DesiredMemory } from './rollout/desired.ts'
import type { Secrets } from './secrets.ts'
import type { SignInThrottle } from './sign-in-throttle.ts'
import type { Telemetry } from './telemetry/store.ts'
import type { Tokens } from './tokens.ts'
import type { WorkspaceConfigs } from './workspace-config.ts'

/** What the parts of the master are given: handles, no behaviour. */
export interface Ctx {
  db: Kysely<Database>
  /** Milliseconds since the epoch. */
  now(): number
  log: Logger
  wake: Wake
  tokens: Tokens
  signIns: SignInThrottle
  secrets: Secrets
  authority: Authority
  sessions: Sessions
  agentWrites: AgentWrites
  telemetry: Telemetry
  monitoring: Monitoring
  /** Requests to addresses that users name. */
  outbound: Outbound
  resolver: Resolver
  /** Where certificates are ordered. */
  acme: AcmeServers
  /** Sends notifications. */
  sender: Sender
  /** Names this start of this master among the masters of one database. */
  masterId: string
  workspaceConfigs: WorkspaceConfigs
  desired: DesiredMemory
  linted: LintMemory
  documentTotals: DocumentTotals
  explainer: Explainer
  /** The address at which people reach this master, if it was told. */
  publicUrl: string | undefined
  rateLimit: RateLimit
  /** Throws unless whoever asks may still do this; absent where nobody asks. */
  stillMay?: (db: Kysely<Database>) => Promise<void>
  /** Whose request this is done for; absent in what the master does by itself. */
  origin?: Origin
}

/** The present moment as the database and the API write it. */
export function timestamp(ctx: Pick<Ctx, 'now'>): string {
  return new Date(ctx.now()).toISOString()
}
