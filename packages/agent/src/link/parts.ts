import type { AgentConfig } from '@nxmesh/model/agent-config'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import type { Command, CommandResult } from '../commands.ts'
import type { DataPaths } from '../durable.ts'
import type { FoundCertificate } from '../found-certificates.ts'
import type { Health } from '../health.ts'
import type { LedgerState } from '../ledger.ts'
import type { Log } from '../scope.ts'
import type { Shipping } from '../telemetry/shipping.ts'

export interface LinkOptions {
  master: string
  token?: string | undefined
  caFile?: string | undefined
  labels: Readonly<Record<string, string>>
  deploymentMode: 'docker_sidecar' | 'kubernetes_sidecar' | 'standalone'
}

/** What the link needs of the agent: it speaks for these and decides nothing. */
export interface LinkParts {
  options: LinkOptions
  paths: DataPaths
  log: Log
  facts: () => Promise<NginxFacts>
  applied: () => Readonly<LedgerState>
  health: () => Promise<Health>
  /** The certificates that the host's own nginx names, as they were last looked at; undefined while that is not known. */
  found: () => FoundCertificate[] | undefined
  onIdentity: (agentId: string) => Promise<void>
  onConfig: (update: { config_id: string; version: number; digest: string; config: () => AgentConfig }) => void
  telemetry: Pick<Shipping, 'opened' | 'drained' | 'closed' | 'answered'>
  onCommand: (id: string, command: Command) => Promise<CommandResult>
}
