import { createHash } from 'node:crypto'
import { ApiError } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import {
  type Agent,
  type AgentDetail,
  type AgentHealth,
  type AgentState,
  agentChanges,
  type DeploymentMode,
  type Finding,
} from '@nxmesh/model/agent'
import { filterHosts } from '@nxmesh/model/agent-config'
import { isEqual } from '@nxmesh/model/field-changes'
import { type CentralLabels, type Labels, setLabels } from '@nxmesh/model/labels'
import { matches, parseSelector } from '@nxmesh/model/selector'
import type { Kysely, SelectQueryBuilder } from 'kysely'
import type { z } from 'zod'
import { findingsOf } from './agent-findings.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { AgentRow, Database } from './db/schema.ts'
import { type Tx, transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { tell } from './events/outbox.ts'
import { requireUnused } from './in-use.ts'
import { pageOf, rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { type Desired, desiredOf, labelsOf, versionRunning } from './rollout/desired.ts'
import { refusingDuplicate } from './unique.ts'
import { serversIn } from './upstream-health.ts'
import { loadWorkspaceConfig } from './workspace-config.ts'

const taken = 'an agent with this name exists already in the workspace'

export async function listAgents(
  ctx: Ctx,
  workspaceId: string,
  query: Paging & { state: AgentState | 'all'; label_selector?: string | undefined },
) {
  const { state, label_selector, ...paging } = query
  let all = ctx.db.selectFrom('agents').where('workspace_id', '=', workspaceId)
  if (state !== 'all') all = all.where('state', '=', state)
  const inOrder = all.orderBy('created_at').orderBy('id')
  if (label_selector) {
    const { data: ids, meta } = pageOf(await selected(inOrder, label_selector), paging)
    const rows = ids.length === 0 ? [] : await inOrder.selectAll().where('id', 'in', ids).execute()
    return { data: rows.map(shown), meta }
  }
  const { limit, offset } = rangeOf(paging)
  const rows = await inOrder.selectAll().limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

// Labels come from three places, so a selector is held against them here, and only the page's agents are read whole.
async function selected(agents: SelectQueryBuilder<Database, 'agents', unknown>, labelSelector: string): Promise<string[]> {
  const parsed = parseSelector(labelSelector)
  if (!parsed.ok) return []
  const rows = await agents.select(['id', 'token_labels', 'reported_labels', 'central_labels']).execute()
  return rows.filter((row) => matches(parsed.selector, labelsOf(row))).map((row) => row.id)
}

export async function getAgent(ctx: Ctx, id: string): Promise<Tagged<AgentDetail>> {
  // What it was acknowledged for must be seen by whoever asks next.
  await ctx.agentWrites.flush(id)
  return tagged(ctx, await readAgent(ctx.db, id))
}

/** Renames an agent or sets labels centrally; these overrule what its token and it itself say. Null for all of them ends that. */
export async function updateAgent(
  ctx: Ctx,
  id: string,
  patch: Patch<z.input<typeof agentChanges>>,
  ifMatch: string | undefined,
): Promise<Tagged<AgentDetail>> {
  const after = await refusingDuplicate('name', taken, () =>
    change(ctx, id, async (tx, row) => {
      const { db, onCommit } = tx
      requireMatch(ifMatch, row.revision)
      const before = { name: row.name, labels: JSON.parse(row.central_labels) as CentralLabels }
      const { name, labels: set } = patched(agentChanges, { name: row.name, labels: setLabels(before.labels) }, patch)
      const labels = { ...takenAway(row, before.labels, patch.labels), ...set }
      if (name === before.name && isEqual(labels, before.labels)) return row
      const changes = { name, central_labels: JSON.stringify(labels), revision: row.revision + 1 }
      await db.updateTable('agents').set(changes).where('id', '=', id).execute()
      await audit(ctx, db, { workspaceId: row.workspace_id, object: objectOf({ id, name }), before, after: { name, labels } })
      const after = { ...row, ...changes }
      tell(ctx, tx, row.workspace_id, 'agent.updated', { agent_id: id, name, labels: labelsOf(after) })
      onCommit(() => ctx.wake('rollout'))
      return after
    }),
  )
  return tagged(ctx, after)
}

// What the agent says itself comes back with each registration, so it is kept in mind that it does not count.
function takenAway(row: AgentRow, central: CentralLabels, patch: Patch<Record<string, string>> | null | undefined): CentralLabels {
  if (patch === null) return {}
  const own = { ...(JSON.parse(row.token_labels) as Labels), ...(JSON.parse(row.reported_labels) as Labels) }
  const before = Object.keys(central).filter((key) => central[key] === null)
  const now = Object.keys(patch ?? {}).filter((key) => patch?.[key] === null && Object.hasOwn(own, key))
  return Object.fromEntries([...before, ...now].map((key) => [key, null]))
}

/** Deletes an agent: its identity is worth nothing from then on and its session ends at once. */
export async function deleteAgent(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  await change(ctx, id, async (tx, row) => {
    const { db, onCommit } = tx
    requireMatch(ifMatch, row.revision)
    await requireUntargeted(ctx, db, row)
    await audit(ctx, db, { workspaceId: row.workspace_id, object: objectOf(row), before: shown(row) })
    await db.deleteFrom('agents').where('id', '=', id).execute()
    tell(ctx, tx, row.workspace_id, 'agent.deleted', { agent_id: id, name: row.name })
    onCommit(() => {
      ctx.sessions.cut(id, 'the agent was deleted')
      ctx.wake('rollout')
    })
  })
}

/** Makes the token and every certificate of an agent worthless and ends its session. */
export async function revokeAgent(ctx: Ctx, id: string): Promise<void> {
  const revoked = { token_hash: null, certificates_valid_from: timestamp(ctx) }
  await change(ctx, id, async ({ db, onCommit }, row) => {
    await db.updateTable('agents').set(revoked).where('id', '=', id).execute()
    await audit(ctx, db, { workspaceId: row.workspace_id, object: objectOf(row), after: { revoked_at: revoked.certificates_valid_from } })
    onCommit(() => {
      ctx.sessions.cut(id, 'the agent was revoked')
      ctx.wake('rollout')
    })
  })
}

/** Forgets that an agent refused its config, so that it is offered again. */
export async function retryAgent(ctx: Ctx, id: string): Promise<void> {
  await change(ctx, id, async ({ db, onCommit }, row) => {
    await db.updateTable('agents').set({ rejected_digest: null }).where('id', '=', id).execute()
    await audit(ctx, db, { workspaceId: row.workspace_id, object: objectOf(row), before: { rejected_digest: row.rejected_digest } })
    onCommit(() => {
      ctx.sessions.get(id)?.forgetRejection()
      ctx.wake('rollout')
    })
  })
}

// Nothing else of the agent's workspace changes meanwhile.
async function change<T>(ctx: Ctx, id: string, work: (tx: Tx, row: AgentRow) => Promise<T>): Promise<T> {
  const { workspace_id } = await readAgent(ctx.db, id)
  return transaction(ctx, async (tx) => work(tx, await readAgent(tx.db, id)), workspace_id)
}

async function requireUntargeted(ctx: Ctx, db: Kysely<Database>, { id, workspace_id }: AgentRow): Promise<void> {
  const config = await loadWorkspaceConfig(db, workspace_id, ctx.workspaceConfigs)
  if (!config) return
  const names = filterHosts(config, ({ target_agents: target }) => target.type === 'agents' && target.agent_ids.includes(id))
  requireUnused('agent', names)
}

/** Ids and labels of every agent of a workspace. */
export async function labelsOfAgents(db: Kysely<Database>, workspaceId: string): Promise<{ id: string; labels: Labels }[]> {
  const rows = await db
    .selectFrom('agents')
    .select(['id', 'token_labels', 'reported_labels', 'central_labels'])
    .where('workspace_id', '=', workspaceId)
    .execute()
  return rows.map((row) => ({ id: row.id, labels: labelsOf(row) }))
}

/** Throws CONFLICT while workspaces that are to be deleted have registered agents, unless forced: then their sessions are cut. */
export async function requireNoAgents(ctx: Ctx, { db, onCommit }: Tx, workspaceIds: string[], force: boolean): Promise<void> {
  if (workspaceIds.length === 0) return
  const agents = await db.selectFrom('agents').select(['id', 'name', 'registered_at']).where('workspace_id', 'in', workspaceIds).execute()
  const registered = agents.filter((agent) => agent.registered_at !== null)
  if (registered.length > 0 && !force) {
    const details = registered
      .slice(0, 100)
      .map((agent) => ({ field: 'force', message: `agent "${agent.name}" (${agent.id}) is registered`, code: 'IN_USE' as const }))
    throw new ApiError('CONFLICT', 'agents are registered; delete them first or add ?force=true', details)
  }
  onCommit(() => {
    for (const agent of agents) ctx.sessions.cut(agent.id, 'the workspace was deleted')
    ctx.wake('rollout')
  })
}

export async function readAgent(db: Kysely<Database>, id: string): Promise<AgentRow> {
  const row = await db.selectFrom('agents').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'agent not found')
  return row
}

/** An agent as the audit log names it. */
export function objectOf({ id, name }: { id: string; name: string }) {
  return { kind: 'agent', id, name }
}

function shown(row: AgentRow): Agent {
  return {
    id: row.id,
    workspace_id: row.workspace_id,
    name: row.name,
    hostname: row.hostname,
    ip_address: row.ip_address,
    version: row.agent_version,
    state: row.state,
    deployment_mode: row.deployment_mode as DeploymentMode,
    last_seen_at: row.last_seen_at,
    capabilities: JSON.parse(row.capabilities) as string[],
    labels: { ...labelsOf(row) },
    created_at: row.created_at,
  }
}

// What people change has a number; the agent's own news makes the tag of an answer another one all the same.
async function tagged(ctx: Ctx, row: AgentRow): Promise<Tagged<AgentDetail>> {
  const body = await detail(ctx, row)
  const variant = createHash('sha256').update(JSON.stringify(body)).digest('base64url').slice(0, 16)
  return { body, revision: row.revision, variant }
}

async function detail(ctx: Ctx, row: AgentRow): Promise<AgentDetail> {
  const desired = await desiredOf(ctx, row)
  const running = versionRunning(row, desired)
  const health = row.health === null ? null : (JSON.parse(row.health) as AgentHealth)
  const fact = (version: number | null, digest: string | null) => (version === null || digest === null ? null : { version, digest })
  return {
    ...shown(row),
    state_reason: row.state_reason,
    health: health && { ...health, config_version: running ?? health.config_version, upstream_servers: serversIn(row) },
    config: {
      desired: { version: desired.version, digest: desired.digest },
      sent: fact(row.sent_version, row.sent_digest),
      applied: fact(running, row.applied_digest),
      serving: fact(row.serving_digest === row.applied_digest ? running : row.sent_version, row.serving_digest),
      status: row.config_status as AgentDetail['config']['status'],
      error: row.config_error,
      findings: [...unknownTo(row, desired), ...findingsOf(row)],
    },
  }
}

/** What an agent is to serve and does not know. Before it has registered nobody can say. */
function unknownTo({ registered_at, capability }: AgentRow, desired: Desired): Finding[] {
  return registered_at === null ? [] : desired.needs().flatMap(({ since, finding }) => (capability < since ? finding : []))
}
