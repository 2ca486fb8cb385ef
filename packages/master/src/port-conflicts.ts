import type { ServedHosts } from '@nxmesh/model/agent-config'
import type { Labels } from '@nxmesh/model/labels'
import type { Problem } from '@nxmesh/model/problem'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { meet } from './host-conflicts.ts'

/** The hosts that have a stream host's port on some agent that it may meet them on: other stream hosts of its protocol, and virtual hosts. */
export function streamPortConflicts(hosts: ServedHosts, host: StreamHost, agents: { id: string; labels: Labels }[]): Problem[] {
  const port = `${host.protocol} ${host.listen_port}`
  const streams = hosts.stream_hosts.filter((other) => other.id !== host.id && portOfStream(other) === port)
  const virtual = hosts.virtual_hosts.filter((other) => portsOfVirtualHost(other).includes(port))
  return [
    ...streams.filter((other) => meet(other.target_agents, host.target_agents, agents)).map((other) => taken('stream host', other, port)),
    ...virtual.filter((other) => meet(other.target_agents, host.target_agents, agents)).map((other) => taken('virtual host', other, port)),
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
    .filter((other) => ports.includes(portOfStream(other)) && meet(other.target_agents, host.target_agents, agents))
    .map((other) => taken('stream host', other, portOfStream(other)))
}

function taken(kind: string, { id, name }: { id: string; name: string }, port: string): Problem {
  return { field: 'listen_port', message: `${kind} "${name}" (${id}) already has port ${port.toUpperCase()}`, code: 'CONFLICT' }
}

function portOfStream({ protocol, listen_port }: StreamHost): string {
  return `${protocol} ${listen_port}`
}

// HTTP/3 takes the UDP port of the same number.
function portsOfVirtualHost({ listen_port, http3_enabled }: VirtualHost): string[] {
  return http3_enabled ? [`tcp ${listen_port}`, `udp ${listen_port}`] : [`tcp ${listen_port}`]
}
