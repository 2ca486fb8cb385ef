import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { Labels } from '@nxmesh/model/labels'
import { addressesOf, portOf } from '@nxmesh/model/listen-address'
import type { Problem } from '@nxmesh/model/problem'
import { parseServerNames } from '@nxmesh/model/server-name'
import { type TargetAgents, targetTest } from '@nxmesh/model/target-agents'
import type { VirtualHost, VirtualHostInput } from '@nxmesh/model/virtual-host'

interface Claim {
  id: string
  names: Set<string>
  target: TargetAgents
  name: string
}

/** The other virtual hosts that claim one of this host's names on its port and may meet it on one agent. */
export function hostConflicts(
  config: WorkspaceConfig,
  id: string,
  input: VirtualHostInput,
  agents: { id: string; labels: Labels }[],
): Problem[] {
  const names = namesOf(input.server_name)
  const addresses = new Set(addressesOf(input))
  const rivals: Claim[] = config.virtual_hosts
    .filter((host) => host.id !== id && portOf(host) === portOf(input))
    // Who listens on all addresses and who listens on one share no request: nginx gives each to those that listen on the very address.
    .filter((host) => addressesOf(host).some((address) => addresses.has(address)))
    .map((host) => ({ id: host.id, name: host.name, names: namesOf(host.server_name), target: host.target_agents }))
    .filter((rival) => !rival.names.isDisjointFrom(names))
  return rivals
    .filter((rival) => meet(rival.target, input.target_agents, agents))
    .map((rival) => ({
      field: 'server_name',
      message: `virtual host "${rival.name}" (${rival.id}) already serves ${[...rival.names.intersection(names)].join(', ')} on ${portOf(input) === 0 ? 'one of its unix sockets' : `port ${input.listen_port}`}`,
      code: 'CONFLICT',
    }))
}

/** The conflicts that some virtual hosts of a config have with any others of it. */
export function conflictsAmong(config: WorkspaceConfig, some: VirtualHost[], agents: { id: string; labels: Labels }[]): Problem[] {
  const claims = new Map<string, VirtualHost[]>()
  for (const host of config.virtual_hosts) {
    for (const name of namesOf(host.server_name)) {
      const claim = `${portOf(host)} ${name}`
      claims.set(claim, [...(claims.get(claim) ?? []), host])
    }
  }
  return some.flatMap((host) => {
    const rivals = [...namesOf(host.server_name)].flatMap((name) => claims.get(`${portOf(host)} ${name}`) ?? [])
    if (rivals.length === 0) return []
    const found = hostConflicts({ ...config, virtual_hosts: [...new Set(rivals)] }, host.id, host, agents)
    return found.map((problem) => ({ ...problem, field: `virtual_hosts.${host.id}.${problem.field}` }))
  })
}

function namesOf(serverName: string): Set<string> {
  const parsed = parseServerNames(serverName)
  return new Set(parsed.ok ? parsed.names : [])
}

/** Two targets meet where some agent, present or future, is certain to be in both. */
export function meet(a: TargetAgents, b: TargetAgents, agents: { id: string; labels: Labels }[]): boolean {
  if (a.type === 'all' || b.type === 'all') return !isEmpty(a) && !isEmpty(b)
  if (a.type === 'selector' && b.type === 'selector' && a.label_selector === b.label_selector) return true
  const [inA, inB] = [targetTest(a), targetTest(b)]
  return agents.some((agent) => inA(agent) && inB(agent))
}

function isEmpty(target: TargetAgents): boolean {
  return target.type === 'agents' && target.agent_ids.length === 0
}
