import { canonicalAddress, portOf } from '@nxmesh/model/listen-address'
import { parseServerNames } from '@nxmesh/model/server-name'
import { targetTest } from '@nxmesh/model/target-agents'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { found, type LintFinding } from './finding.ts'
import type { LintAgent, LintSubject } from './subject.ts'

const rule = {
  severity: 'warning',
  code: 'hiding_address',
  source: 'https://nginx.org/en/docs/http/request_processing.html#mixed_name_ip_based_servers',
} as const

const mostNamed = 3

/** Virtual hosts on single addresses of a port, where others listen on all: a request to such an address reaches none of the others, whatever name it is for. */
export function hidingAddress({ virtual_hosts, agents }: LintSubject): LintFinding[] {
  const byPort = Map.groupBy(virtual_hosts, portOf)
  return virtual_hosts.flatMap((host) => {
    const addresses = host.listen_addresses?.map(canonicalAddress)
    const others = byPort.get(portOf(host))!.filter((other) => other.id !== host.id)
    if (!addresses || others.every((other) => other.listen_addresses)) return []
    const isServed = targetTest(host.target_agents)
    const own = agents.filter((agent) => isServed(agent))
    const hidden = addresses.map((address) => ({ address, names: namesHiddenAt(address, host, others, own) }))
    const lost = hidden.filter(({ names }) => names.length > 0)
    if (lost.length === 0) return []
    const names = [...new Set(lost.flatMap((each) => each.names))]
    const shown = names.slice(0, mostNamed).map((name) => `"${name}"`)
    const more = names.length > mostNamed ? ` and ${names.length - mostNamed} more` : ''
    const where = lost.map(({ address }) => address).join(', ')
    const reason = `requests to ${where} on port ${host.listen_port} never reach ${shown.join(', ')}${more}: of hosts that listen on all addresses, nginx asks none where one lists the very address`
    const object = { kind: 'virtual_host', id: host.id, name: host.name } as const
    const fix = 'leave listen_addresses out here, too, or list in each virtual host of the port the addresses on which it is to answer'
    return [found(rule, object, 'listen_addresses', reason, fix)]
  })
}

/** The virtual hosts on all addresses of which a name is not served on one address. */
function namesHiddenAt(address: string, host: VirtualHost, others: readonly VirtualHost[], agents: readonly LintAgent[]): string[] {
  const beside = others.filter((other) => other.listen_addresses?.map(canonicalAddress).includes(address) && isOnOneOf(other, agents))
  const there = new Set([host, ...beside].flatMap(namesOf))
  return others
    .filter((other) => !other.listen_addresses && namesOf(other).some((name) => !there.has(name)) && isOnOneOf(other, agents))
    .map(({ name }) => name)
}

function isOnOneOf({ target_agents }: VirtualHost, agents: readonly LintAgent[]): boolean {
  const isServed = targetTest(target_agents)
  return agents.some((agent) => isServed(agent))
}

function namesOf({ server_name }: VirtualHost): string[] {
  const parsed = parseServerNames(server_name)
  return parsed.ok ? parsed.names : []
}
