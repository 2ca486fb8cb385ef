import type { ServedHosts, WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { StreamHost } from '@nxmesh/model/stream-host'
import { targetTest } from '@nxmesh/model/target-agents'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { WorkspaceFinding } from '@nxmesh/model/workspace-finding'
import type { LintAgent } from '@nxmesh/nginx/lint/subject'

/** Tells which agents serve an object: for an upstream or a certificate, those of the hosts that use it. */
export type ServingAgents = (object: Pick<WorkspaceFinding['object'], 'kind' | 'id'>) => ReadonlySet<string>

/** Which agents serve what of a workspace. Each target is held against the agents once. */
export function servingAgents(config: WorkspaceConfig, agents: readonly LintAgent[]): ServingAgents {
  const byTarget = new Map<string, ReadonlySet<string>>()
  const byUse = usersOf(config)
  const ofHost = ({ target_agents: target }: Host): ReadonlySet<string> => {
    const key = JSON.stringify(target)
    const known = byTarget.get(key) ?? new Set(agents.filter(targetTest(target)).map(({ id }) => id))
    byTarget.set(key, known)
    return known
  }
  return ({ kind, id }) => {
    if (kind === 'settings') return new Set(agents.map((agent) => agent.id))
    const hosts = byUse.get(id ?? '') ?? []
    const [only] = hosts
    if (only && hosts.length === 1) return ofHost(only)
    return new Set(hosts.flatMap((host) => [...ofHost(host)]))
  }
}

type Host = VirtualHost | StreamHost

/** The hosts by their own id and by those of what they use. */
function usersOf({ virtual_hosts, stream_hosts }: ServedHosts): ReadonlyMap<string, Host[]> {
  const found = new Map<string, Host[]>()
  for (const host of [...virtual_hosts, ...stream_hosts]) {
    const upstreams = ('locations' in host ? host.locations : [host]).flatMap(({ upstream_id }) => upstream_id ?? [])
    const certificates = host.ssl_enabled ? (host.ssl_certificate_id ?? []) : []
    for (const id of new Set([host.id, ...upstreams, ...[certificates].flat()])) {
      const users = found.get(id)
      if (users) users.push(host)
      else found.set(id, [host])
    }
  }
  return found
}
