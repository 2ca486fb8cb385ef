import type { Paging } from '@nxmesh/api/route'
import type { AgentHealth } from '@nxmesh/model/agent'
import type { ServerHealth } from '@nxmesh/model/server-health'
import type { Upstream } from '@nxmesh/model/upstream'
import type { UpstreamHealth } from '@nxmesh/model/upstream-health'
import type { Ctx } from './ctx.ts'
import type { AgentRow } from './db/schema.ts'
import { getDocument } from './documents.ts'
import { rangeOf } from './page.ts'

/** The agents that probe the servers of an upstream, and what each says of them. */
export async function getUpstreamHealth(ctx: Ctx, id: string, paging: Paging) {
  const { body } = await getDocument<Upstream>(ctx.db, 'upstreams', id)
  const all = ctx.db
    .selectFrom('agents')
    .where('workspace_id', '=', body.workspace_id)
    .where('health', 'like', `%"upstream_id":"${body.id}"%`)
  const { limit, offset } = rangeOf(paging)
  const rows = await all
    .select(['id', 'name', 'state', 'last_seen_at', 'health'])
    .orderBy('created_at')
    .orderBy('id')
    .limit(limit)
    .offset(offset)
    .execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row) => shown(row, body.id)), meta: { ...paging, total } }
}

function shown(row: Pick<AgentRow, 'id' | 'name' | 'state' | 'last_seen_at' | 'health'>, upstreamId: string): UpstreamHealth {
  const servers = serversIn(row).flatMap(({ upstream_id, ...server }) => (upstream_id === upstreamId ? [server] : []))
  return { agent_id: row.id, agent_name: row.name, agent_state: row.state, reported_at: row.last_seen_at, servers }
}

/** The servers that an agent probes, as it said last; nobody knows how they are while it is offline. */
export function serversIn({ health, state }: Pick<AgentRow, 'health' | 'state'>): ServerHealth[] {
  // A report of an earlier release holds none.
  const servers = health === null ? [] : ((JSON.parse(health) as Partial<AgentHealth>).upstream_servers ?? [])
  return state === 'offline' ? servers.map((server) => ({ ...server, state: 'unknown' as const })) : servers
}

/** The part of a health report that people wait for: which servers are up, and which get requests. */
export function rotationIn(health: string | null): string {
  const servers = serversIn({ health, state: 'online' })
  return servers.map(({ upstream_id, address, state, in_rotation }) => `${upstream_id} ${address} ${state} ${in_rotation}`).join('\n')
}
