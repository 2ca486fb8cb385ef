import type { AgentTokenInput } from '@nxmesh/model/agent'
import { newAgentToken } from './agent-token.ts'
import { objectOf } from './agents.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { NewAgentRow } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { tell } from './events/outbox.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'

type Issuer = Pick<Ctx, 'db' | 'now' | 'authority' | 'origin' | 'wake'>

const taken = 'an agent with this name exists already in the workspace'

/** Creates an agent, offline until it registers, and the token it registers with. The token itself is kept nowhere. */
export async function createAgentToken(ctx: Issuer, workspaceId: string, input: AgentTokenInput) {
  const id = uuidv7(ctx.now())
  const { token, hash } = newAgentToken(id, ctx.authority.fingerprint)
  const expires_at = new Date(ctx.now() + input.expires_in_hours * 3_600_000).toISOString()
  const row: NewAgentRow = {
    id,
    workspace_id: workspaceId,
    name: input.name,
    created_at: timestamp(ctx),
    token_hash: hash,
    token_expires_at: expires_at,
    token_labels: JSON.stringify(input.labels),
    registered_at: null,
    upgraded_at: null,
    certificates_valid_from: null,
    machine_id: '',
    boot_id: '',
    hostname: '',
    ip_address: '',
    agent_version: '',
    deployment_mode: 'standalone',
    capabilities: '[]',
    capability: 0,
    reported_labels: '{}',
    central_labels: '{}',
    connected: 0,
    last_seen_at: null,
    heartbeat_interval_seconds: 0,
    health: null,
    sent_version: null,
    sent_digest: null,
    applied_version: null,
    applied_digest: null,
    serving_digest: null,
    rejected_digest: null,
    config_status: 'unknown',
    config_error: null,
    findings: '[]',
    drift: null,
    state: 'offline',
    state_reason: null,
  }
  await refusingDuplicate('name', taken, () =>
    transaction(ctx, async (tx) => {
      const { db } = tx
      await db.insertInto('agents').values(row).execute()
      const { name, labels } = input
      await audit(ctx, db, { workspaceId, object: objectOf(row), after: { name, labels, expires_at } })
      tell(ctx, tx, workspaceId, 'agent.created', { agent_id: id, name })
    }),
  )
  return { token, agent_id: id, expires_at }
}

/**
 * A token for the agent beside this master, named `local`, in the oldest workspace; undefined once it has registered. A
 * token issued earlier and never used is worth nothing from then on.
 */
export async function localAgentToken(ctx: Issuer): Promise<string | undefined> {
  const workspace = await ctx.db.selectFrom('workspaces').select('id').orderBy('created_at').orderBy('id').executeTakeFirst()
  if (!workspace) return undefined
  const local = await ctx.db
    .selectFrom('agents')
    .select(['id', 'registered_at'])
    .where('workspace_id', '=', workspace.id)
    .where('name', '=', 'local')
    .executeTakeFirst()
  if (local?.registered_at) return undefined
  if (!local) return (await createAgentToken(ctx, workspace.id, { name: 'local', labels: { env: 'local' }, expires_in_hours: 24 })).token
  const { token, hash } = newAgentToken(local.id, ctx.authority.fingerprint)
  const token_expires_at = new Date(ctx.now() + 24 * 3_600_000).toISOString()
  await ctx.db.updateTable('agents').set({ token_hash: hash, token_expires_at }).where('id', '=', local.id).execute()
  return token
}
