import { addressesOf, portOf } from '@nxmesh/model/listen-address'
import { parseServerNames } from '@nxmesh/model/server-name'
import { targetTest } from '@nxmesh/model/target-agents'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { found, type LintFinding } from './finding.ts'
import type { LintAgent, LintSubject } from './subject.ts'

const rule = {
  severity: 'error',
  code: 'duplicate_server_name',
  source: 'https://nginx.org/en/docs/http/server_names.html',
} as const

/**
 * Two virtual hosts with one name on one port of one agent: the older gets all requests. What is written is checked for it, but
 * labels of agents change afterwards, and `.example.com` stands for two names.
 */
export function duplicateServerName({ virtual_hosts, agents }: LintSubject): LintFinding[] {
  const first = new Map<string, VirtualHost[]>()
  const reported = new Set<string>()
  return virtual_hosts.flatMap((host) =>
    claimsOf(host).flatMap(({ claim, name }) => {
      const earlier = first.get(claim) ?? []
      first.set(claim, [...earlier, host])
      const rival = earlier.find((other) => other.id !== host.id && meet(other, host, agents))
      if (!rival || reported.has(`${host.id} ${rival.id}`)) return []
      reported.add(`${host.id} ${rival.id}`)
      const reason = `"${name}" on ${portOf(host) === 0 ? 'its unix socket' : `port ${host.listen_port}`} belongs to "${rival.name}", which is older: requests for it never get here`
      const object = { kind: 'virtual_host', id: host.id, name: host.name } as const
      return [
        found(
          rule,
          object,
          'server_name',
          reason,
          'take the name from one of the two, or keep them on different agents, ports or addresses',
        ),
      ]
    }),
  )
}

/** The names that nginx keeps for a host: a leading dot stands for the name and all below it. */
function claimsOf({ server_name, listen_port, listen_addresses }: VirtualHost): { claim: string; name: string }[] {
  const parsed = parseServerNames(server_name)
  const names = parsed.ok ? parsed.names.flatMap((name) => (name.startsWith('.') ? [name.slice(1), `*${name}`] : [name])) : []
  const addresses = addressesOf({ listen_addresses })
  return [...new Set(names)].flatMap((name) =>
    addresses.map((address) => ({ claim: `${address} ${portOf({ listen_port, listen_addresses })} ${name}`, name })),
  )
}

function meet(a: VirtualHost, b: VirtualHost, agents: readonly LintAgent[]): boolean {
  const [isOfA, isOfB] = [targetTest(a.target_agents), targetTest(b.target_agents)]
  return agents.some((agent) => isOfA(agent) && isOfB(agent))
}
