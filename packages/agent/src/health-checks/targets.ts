import type { AgentConfig, ConfigUpstream, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { Location } from '@nxmesh/model/location'
import type { HealthCheck } from '@nxmesh/model/upstream'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { isChecked, usableServers } from '@nxmesh/nginx/health-marks'

/** One server to probe, and how. */
export interface Target {
  upstream: { id: string; name: string }
  address: string
  to: { host: string; port: number } | { socketPath: string }
  /** The Host header of a request; without one a connection is all that is asked for. */
  host: string | undefined
  check: HealthCheck
}

/** The servers that a config asks to be probed, each once for an upstream. What only stream hosts and calls of gRPC go to need not speak HTTP/1.1. */
export function targetsOf(config: AgentConfig): Target[] {
  const connected = new Set(config.stream_hosts?.flatMap(({ protocol, upstream_id }) => (protocol === 'tcp' ? (upstream_id ?? []) : [])))
  for (const { upstream_id } of config.virtual_hosts.flatMap(({ locations }) => locations.filter(speaksGrpc)))
    if (upstream_id !== undefined) connected.add(upstream_id)
  return config.upstreams.filter(isChecked).flatMap((upstream) => {
    const asks = (location: Location) => location.upstream_id === upstream.id && !speaksGrpc(location)
    const hosts = config.virtual_hosts.filter((host) => host.locations.some(asks))
    if (hosts.length === 0 && !connected.has(upstream.id)) return []
    const addresses = new Set(usableServers(upstream).map((server) => server.address))
    return [...addresses].map((address): Target => {
      const to = destinationOf(address)
      const named = hostHeader(hosts, upstream) ?? ('host' in to ? address : 'localhost')
      const host = hosts.length === 0 ? undefined : named
      return { upstream: { id: upstream.id, name: upstream.name }, address, to, host, check: upstream.health_check! }
    })
  })
}

/** Where an address of nginx leads: port 80 where none is named. */
export function destinationOf(address: string): Target['to'] {
  if (address.startsWith('unix:')) return { socketPath: address.slice('unix:'.length) }
  const parts = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(address)
  return { host: parts?.[1] ?? parts?.[2] ?? address, port: Number(parts?.[3] ?? 80) }
}

/** What nginx sends for a request of a client: a Host header that a location sets, or a name that the first virtual host answers to. */
function hostHeader(hosts: readonly ConfigVirtualHost[], upstream: ConfigUpstream): string | undefined {
  const locations = hosts.flatMap((host) => host.locations.filter((location) => location.upstream_id === upstream.id))
  const set = locations.flatMap((location) => location.custom_headers).find((header) => header.name.toLowerCase() === 'host')
  if (set && /^[^$\s]+$/.test(set.value)) return set.value
  const names = hosts.flatMap((host) => host.server_name.split(/\s+/))
  return names.find((name) => /^[A-Za-z0-9-][A-Za-z0-9.-]*$/.test(name))
}
