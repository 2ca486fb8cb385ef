import type { AgentConfig, ConfigUpstream } from '@nxmesh/model/agent-config'
import { addressesOf } from '@nxmesh/model/listen-address'
import type { UpstreamServer } from '@nxmesh/model/upstream'
import type { NginxSupport } from './facts.ts'
import { namesInFiles, type ResolvedNames } from './resolved-names.ts'

/** The addresses of servers that fail their health checks and get no requests, by the id of their upstream. */
export type Marks = Readonly<Record<string, readonly string[]>>

interface MarkTarget {
  facts: { supports: Pick<NginxSupport, 'upstream_resolve'> }
  marks?: Marks
  resolver?: string
  names?: ResolvedNames
  absent_addresses?: readonly string[]
}

// A datagram for nginx's resolver holds at most 4096 bytes, and a server takes up to 70 of them.
const mostAnswered = 50

/** The servers that may get requests at all. */
export function usableServers({ servers }: Pick<ConfigUpstream, 'servers'>): UpstreamServer[] {
  return servers.filter((server) => !server.down)
}

/**
 * Whether nginx asks the agent for the servers of an upstream, so that a mark needs no reload. It takes an nginx that can,
 * and servers that an answer can describe: addresses rather than names or sockets, no backup servers, one limit of failures for all.
 */
export function isAnswered(upstream: ConfigUpstream, { facts, resolver }: MarkTarget): boolean {
  if (resolver === undefined || !facts.supports.upstream_resolve || !isChecked(upstream)) return false
  // The place of an address in the list decides whom ip_hash sends where.
  if (upstream.algorithm === 'ip_hash') return false
  const servers = usableServers(upstream)
  const [first] = servers
  if (!first || servers.length < 2 || servers.length > mostAnswered) return false
  return (
    upstream.servers.every((server) => !server.backup) &&
    servers.every(
      (server) => isIpAddress(server.address) && server.max_fails === first.max_fails && server.fail_timeout === first.fail_timeout,
    )
  )
}

/** Whether the servers of an upstream are to be probed. */
export function isChecked(upstream: ConfigUpstream): boolean {
  return upstream.health_check?.enabled === true
}

/**
 * Which of the failing servers of an upstream get no requests: all of them while another one could answer. When none could,
 * the checks decide nothing, as whatever fails everywhere at once (a wrong path, a shared database) is better seen than hidden.
 */
export function allowedMarks(upstream: ConfigUpstream, failing: Iterable<string>): string[] {
  const marked = new Set(failing)
  const servers = usableServers(upstream).filter((server) => upstream.algorithm !== 'ip_hash' || !server.backup)
  if (!isChecked(upstream) || servers.every((server) => marked.has(server.address))) return []
  return [...new Set(servers.map((server) => server.address))].filter((address) => marked.has(address)).sort()
}

/** The marks that have to stand in the files. */
function writtenMarks(config: Pick<AgentConfig, 'upstreams'>, target: MarkTarget): Marks {
  const written: Record<string, string[]> = {}
  for (const upstream of config.upstreams) {
    if (isAnswered(upstream, target)) continue
    const marked = allowedMarks(upstream, target.marks?.[upstream.id] ?? [])
    if (marked.length > 0) written[upstream.id] = marked
  }
  return written
}

/** What files say about servers as the agent finds them; the rest depends on the config alone. */
export interface HealthInFiles {
  marks: Marks
  /** Where nginx asks for the servers of upstreams, if of any. */
  resolver: string | null
  names: ResolvedNames
  /** Those of hosts that the machine does not have; absent where it has all. */
  absent_addresses?: readonly string[]
}

export function healthOf(config: Pick<AgentConfig, 'upstreams' | 'virtual_hosts' | 'stream_hosts'>, target: MarkTarget): HealthInFiles {
  const asks = config.upstreams.some((upstream) => isAnswered(upstream, target))
  const hosts = [...config.virtual_hosts, ...(config.stream_hosts ?? [])]
  const listened = new Set(hosts.flatMap((host) => (host.listen_addresses ? addressesOf(host) : [])))
  const absent = (target.absent_addresses ?? []).filter((address) => listened.has(address)).toSorted()
  return {
    marks: writtenMarks(config, target),
    resolver: asks ? target.resolver! : null,
    names: namesInFiles(config, target.names),
    ...(absent.length > 0 && { absent_addresses: absent }),
  }
}

function isIpAddress(address: string): boolean {
  return address.startsWith('[') || /^\d+(\.\d+){3}(:\d+)?$/.test(address)
}
