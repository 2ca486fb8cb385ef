import type { Finding } from '@nxmesh/model/agent'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { WorkspaceFinding } from '@nxmesh/model/workspace-finding'
import { findingsOf } from '../agent-findings.ts'

/** An agent with what it found out about the last config that it was given. */
export interface Reporter {
  id: string
  name: string
  /** As its row holds them. */
  findings: string
  config_error: string | null
}

/** A finding, and the agents that tell of it. */
export interface Reported {
  finding: Omit<WorkspaceFinding, 'agents' | 'agent_ids'>
  agentIds: string[]
}

/** What agents tell of their configs, each thing once with all who tell of it; what is about an object that is gone is left out. */
export function reportedFindings(workspaceId: string, config: WorkspaceConfig, agents: readonly Reporter[]): Reported[] {
  const names = namesIn(workspaceId, config)
  const found = new Map<string, Reported>()
  for (const agent of agents) {
    for (const finding of toldBy(agent)) {
      const object = objectOf(finding, agent, { workspaceId, names })
      if (!object) continue
      const key = JSON.stringify([finding.severity, finding.message, object.kind, object.id, finding.field])
      const known = found.get(key)
      if (known) known.agentIds.push(agent.id)
      else found.set(key, { finding: shown(finding, object), agentIds: [agent.id] })
    }
  }
  return [...found.values()]
}

function toldBy(agent: Reporter): Finding[] {
  if (agent.findings === '[]' && agent.config_error === null) return []
  const told = findingsOf(agent)
  return told.length > 0 || agent.config_error === null ? told : [{ severity: 'error', message: agent.config_error }]
}

function shown({ severity, message, field, code = 'agent_report', cause, fix }: Finding, object: WorkspaceFinding['object']) {
  const reason = cause === undefined ? message : `${message}: ${cause}`
  return { severity, code, object, field: field ?? null, reason, fix: fix ?? null, source: null, found_by: 'agent' } as const
}

// What an agent cannot trace to an object is about its host.
function objectOf(
  { kind, id }: Finding,
  agent: Reporter,
  { workspaceId, names }: { workspaceId: string; names: ReadonlyMap<string, string> },
): WorkspaceFinding['object'] | undefined {
  if (kind === undefined) return { kind: 'agent', id: agent.id, name: agent.name }
  const object = kind === 'settings' ? workspaceId : id
  const name = object === undefined ? undefined : names.get(object)
  return object === undefined || name === undefined ? undefined : { kind, id: object, name }
}

function namesIn(workspaceId: string, { virtual_hosts, stream_hosts, upstreams }: WorkspaceConfig): ReadonlyMap<string, string> {
  return new Map([
    [workspaceId, 'settings'],
    ...[...virtual_hosts, ...stream_hosts, ...upstreams].map(({ id, name }) => [id, name] as const),
  ])
}
