import type { ChallengeType } from '@nxmesh/model/certificate'
import type { Ctx } from '../ctx.ts'
import type { AgentRow } from '../db/schema.ts'
import type { AcmeAccountRow } from '../db/schema-certificates.ts'
import type { AgentNginx } from '../link/health.ts'
import { desiredIn } from '../rollout/desired.ts'

/** What a certificate is to be ordered for, and how. */
export interface Subject {
  workspaceId: string
  names: string[]
  challenge: ChallengeType
  account: Pick<AcmeAccountRow, 'built_in' | 'directory_url' | 'ca_pem' | 'url' | 'eab_kid'>
  /** What HTTP-01 challenges are answered with; null where nobody has asked for the certificate yet, so that no agent knows. */
  thumbprint: string | null
  dnsProviderId: string | null
  profile: string | null
}

export interface Answerer {
  agent: Pick<AgentRow, 'id' | 'hostname' | 'ip_address' | 'connected' | 'config_status' | 'config_error'>
  /** It serves what it must, so it answers. */
  isReady: boolean
  /** Where it does: on single addresses of its machine, or on all of them, which is `*`. */
  addresses: readonly string[]
}

const columns = [
  ...(['id', 'workspace_id', 'capability', 'token_labels', 'reported_labels', 'central_labels'] as const),
  ...(['hostname', 'ip_address', 'connected', 'applied_digest', 'config_status', 'config_error', 'nginx'] as const),
]

/** The agents that are to answer HTTP-01 challenges, by name. A name that no config of an agent answers has none. */
export async function answerersOf(ctx: Ctx, { workspaceId, names, thumbprint }: Subject): Promise<Map<string, Answerer[]>> {
  await Promise.all(
    [...ctx.sessions.all()].filter((session) => session.workspaceId === workspaceId).map(({ agentId }) => ctx.agentWrites.flush(agentId)),
  )
  const find = await desiredIn(ctx, workspaceId)
  const rows = await ctx.db
    .selectFrom('agents')
    .select(columns)
    .where('workspace_id', '=', workspaceId)
    .where('registered_at', 'is not', null)
    .execute()
  const found = new Map<string, Answerer[]>(names.map((name) => [name, []]))
  for (const row of rows) {
    const desired = find!(row)
    const { addressesFor, thumbprintOf } = desired.answered()
    const absent = new Set(row.nginx === null ? [] : (JSON.parse(row.nginx) as AgentNginx).absent_addresses)
    for (const name of names) {
      const addresses = addressesFor(name).filter((address) => !absent.has(address))
      if (addresses.length === 0 || (thumbprint !== null && thumbprintOf(name) !== thumbprint)) continue
      found.get(name)!.push({ agent: row, isReady: row.applied_digest === desired.digest, addresses })
    }
  }
  return found
}

/** Whether an order had better wait: agents are about to answer that do not yet, or come back after a restart of the master. */
export async function waitingForAgents(ctx: Ctx, subject: Subject): Promise<boolean> {
  const byName = [...(await answerersOf(ctx, subject)).values()]
  return byName.some((answerers) => {
    const connected = answerers.filter(({ agent }) => agent.connected === 1)
    if (connected.length === 0) return answerers.length > 0
    return connected.some(({ agent, isReady }) => !isReady && !isFailing(agent))
  })
}

export function isFailing({ config_status }: Pick<AgentRow, 'config_status'>): boolean {
  return config_status === 'failed' || config_status === 'rolled_back'
}
