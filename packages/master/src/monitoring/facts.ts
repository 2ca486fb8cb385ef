import { agentStates } from '@nxmesh/model/agent'
import { type Kysely, sql } from 'kysely'
import { Gauge, Registry } from 'prom-client'
import { inLists } from '../db/in-list.ts'
import type { AgentRow, Database } from '../db/schema.ts'
import { serversIn } from '../upstream-health.ts'

export const agentColumns = [
  'id',
  'name',
  'workspace_id',
  'hostname',
  'agent_version',
  'connected',
  'state',
  'last_seen_at',
  'sent_version',
  'applied_version',
  'drift',
  'health',
] as const

export type Agent = Pick<AgentRow, (typeof agentColumns)[number]>

interface Fleet {
  /** Names by id. */
  workspaces: ReadonlyMap<string, string>
  agents: readonly Agent[]
  /** What every series of an agent says about whose it is. */
  labels: ReadonlyMap<string, Record<string, string>>
}

/** What the database knows of a fleet. */
export async function factsOf(db: Kysely<Database>, fleet: Fleet): Promise<Registry> {
  const registry = new Registry()
  tellAgents(registry, fleet)
  tellServers(registry, fleet)
  await tellAlerts(registry, db, fleet)
  await tellHosts(registry, db, fleet)
  await tellChannels(registry, db, fleet)
  return registry
}

function tellAgents(registry: Registry, { agents, labels }: Fleet): void {
  const gauge = gaugesIn(registry)
  const info = gauge('nxmesh_agent_info', 'What an agent is; always 1.', 'hostname', 'version', 'nginx_version')
  const connected = gauge('nxmesh_agent_connected', '1 where an agent is connected to a master.')
  const state = gauge('nxmesh_agent_state', '1 for the state that an agent is in.', 'state')
  const seen = gauge('nxmesh_agent_last_seen_timestamp_seconds', 'When a master last heard of an agent.')
  const sent = gauge('nxmesh_agent_config_sent_version', 'The version of its config that an agent was sent last.')
  const applied = gauge('nxmesh_agent_config_applied_version', 'The version of its config that an agent applied last.')
  const drifted = gauge('nxmesh_agent_drifted', '1 where files of nginx differ from what the agent wrote.')
  for (const agent of agents) {
    const own = labels.get(agent.id)!
    const { hostname, agent_version, health, last_seen_at, sent_version, applied_version } = agent
    info.set({ ...own, hostname, version: agent_version, nginx_version: health === null ? '' : JSON.parse(health).nginx_version }, 1)
    connected.set(own, agent.connected)
    for (const each of agentStates) state.set({ ...own, state: each }, each === agent.state ? 1 : 0)
    if (last_seen_at !== null) seen.set(own, Date.parse(last_seen_at) / 1000)
    if (sent_version !== null) sent.set(own, sent_version)
    if (applied_version !== null) applied.set(own, applied_version)
    drifted.set(own, agent.drift === null ? 0 : 1)
  }
}

function tellServers(registry: Registry, { agents, labels }: Fleet): void {
  const gauge = gaugesIn(registry)
  const up = gauge('nxmesh_upstream_server_up', '1 where a server of an upstream passes the checks of an agent.', 'upstream_id', 'server')
  const taken = gauge('nxmesh_upstream_server_in_rotation', '1 where nginx gives a server requests.', 'upstream_id', 'server')
  for (const agent of agents) {
    for (const { upstream_id, address, state, in_rotation } of serversIn(agent)) {
      const server = { ...labels.get(agent.id)!, upstream_id, server: address }
      // How it is, nobody knows before a check has decided or while its agent is away.
      if (state === 'up' || state === 'down') up.set(server, state === 'up' ? 1 : 0)
      if (state !== 'unknown') taken.set(server, in_rotation ? 1 : 0)
    }
  }
}

async function tellAlerts(registry: Registry, db: Kysely<Database>, { agents, labels }: Fleet): Promise<void> {
  const active = gaugesIn(registry)('nxmesh_alert_active', '1 for each alert that has not ended.', 'alert', 'severity')
  for (const ids of inLists(agents.map(({ id }) => id))) {
    const rows = db.selectFrom('alerts').select(['agent_id', 'name', 'severity']).where('agent_id', 'in', ids)
    // In so many words, for the index is one of active rows alone.
    for (const row of await rows.where('active', '=', sql.lit(1)).where('resolved_at', 'is', null).execute()) {
      active.set({ ...labels.get(row.agent_id)!, alert: row.name, severity: row.severity }, 1)
    }
  }
}

async function tellHosts(registry: Registry, db: Kysely<Database>, { workspaces }: Fleet): Promise<void> {
  const labelNames = ['workspace_id', 'workspace', 'virtual_host', 'virtual_host_name', 'server_name']
  const help = 'The names of a virtual host, of which other series have the id; always 1.'
  const info = new Gauge({ name: 'nxmesh_virtual_host_info', help, labelNames, registers: [registry] })
  for (const ids of inLists(workspaces.keys())) {
    for (const { id, workspace_id, name, doc } of await db
      .selectFrom('virtual_hosts')
      .selectAll()
      .where('workspace_id', 'in', ids)
      .execute()) {
      const { server_name } = JSON.parse(doc)
      info.set({ workspace_id, workspace: workspaces.get(workspace_id)!, virtual_host: id, virtual_host_name: name, server_name }, 1)
    }
  }
}

async function tellChannels(registry: Registry, db: Kysely<Database>, { workspaces }: Fleet): Promise<void> {
  const labelNames = ['workspace_id', 'workspace', 'channel_id', 'channel']
  const help = '1 where nothing that was tried of late has arrived at a notification channel.'
  const failing = new Gauge({ name: 'nxmesh_notification_channel_failing', help, labelNames, registers: [registry] })
  for (const ids of inLists(workspaces.keys())) {
    const rows = db
      .selectFrom('notification_channels')
      .select(['id', 'workspace_id', 'name', 'failing_since'])
      .where('workspace_id', 'in', ids)
    for (const { id, workspace_id, name, failing_since } of await rows.execute()) {
      failing.set({ workspace_id, workspace: workspaces.get(workspace_id)!, channel_id: id, channel: name }, failing_since === null ? 0 : 1)
    }
  }
}

function gaugesIn(registry: Registry) {
  return (name: string, help: string, ...more: string[]) =>
    new Gauge({ name, help, labelNames: ['workspace_id', 'workspace', 'agent_id', 'agent', ...more], registers: [registry] })
}
