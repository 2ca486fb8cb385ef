import type { ServedHosts } from '@nxmesh/model/agent-config'
import type { Labels } from '@nxmesh/model/labels'
import { addressesOf, everyAddress, isUnixSocket, portOf as socketPortOf } from '@nxmesh/model/listen-address'
import type { Problem } from '@nxmesh/model/problem'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { meet } from './host-conflicts.ts'

/** The hosts that have a stream host's port on some agent that it may meet them on: other stream hosts of its protocol, and virtual hosts. */
export function streamPortConflicts(hosts: ServedHosts, host: StreamHost, agents: { id: string; labels: Labels }[]): Problem[] {
  const isMet = (other: StreamHost | VirtualHost) => meet(other.target_agents, host.target_agents, agents)
  const streams = hosts.stream_hosts.filter((other) => other.id !== host.id && portOf(other) === portOf(host) && isMet(other))
  const virtual = hosts.virtual_hosts.filter((other) => portsOfVirtualHost(other).includes(portOf(host)) && isMet(other))
  return [
    ...streams.flatMap((other) => taken('stream host', other, portOf(host), shared(host, other))),
    ...virtual.flatMap((other) => taken('virtual host', other, portOf(host), sharedByKinds(host, other))),
  ]
}

/** The stream hosts that have a port of a virtual host on some agent that it may meet them on. */
export function hostPortConflicts(
  { stream_hosts }: Pick<ServedHosts, 'stream_hosts'>,
  host: VirtualHost,
  agents: { id: string; labels: Labels }[],
): Problem[] {
  if (stream_hosts.length === 0) return []
  const ports = portsOfVirtualHost(host)
  return stream_hosts
    .filter((other) => ports.includes(portOf(other)) && meet(other.target_agents, host.target_agents, agents))
    .flatMap((other) => taken('stream host', other, portOf(other), sharedByKinds(other, host)))
}

function taken(kind: string, { id, name }: { id: string; name: string }, port: string, where: string | undefined): Problem[] {
  if (where === undefined) return []
  const socket = where.replace(/^ on (?=unix:)/, '')
  if (isUnixSocket(socket))
    return [{ field: 'listen_addresses', message: `${kind} "${name}" (${id}) already has ${socket}`, code: 'CONFLICT' }]
  return [{ field: 'listen_port', message: `${kind} "${name}" (${id}) already has port ${port.toUpperCase()}${where}`, code: 'CONFLICT' }]
}

type Listening = Pick<StreamHost | VirtualHost, 'listen_addresses'>

/** Where two hosts meet. Who listens on all addresses does not meet who listens on one: nginx gives each connection to who listens on the very address. */
function shared(host: Listening, other: Listening): string | undefined {
  const others = addressesOf(other)
  const address = addressesOf(host).find((each) => others.includes(each))
  if (address === everyAddress) return ''
  return address === undefined ? undefined : ` on ${address}`
}

/** Each kind has sockets of its own, and the kernel opens no TCP port on all addresses beside a single one. */
function sharedByKinds(stream: StreamHost, host: VirtualHost): string | undefined {
  const where = shared(stream, host)
  if (where !== undefined || stream.protocol === 'udp' || (stream.listen_addresses && host.listen_addresses)) return where
  return ': a stream host and a virtual host have one port on single addresses only'
}

function portOf(host: StreamHost): string {
  return `${host.protocol} ${socketPortOf(host)}`
}

// HTTP/3 takes the UDP port of the same number.
function portsOfVirtualHost(host: VirtualHost): string[] {
  const port = socketPortOf(host)
  return host.http3_enabled && port > 0 ? [`tcp ${port}`, `udp ${port}`] : [`tcp ${port}`]
}
