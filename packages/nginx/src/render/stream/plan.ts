import type { AgentConfig, ConfigStreamHost } from '@nxmesh/model/agent-config'
import { addressesOf, everyAddress, isUnixSocket, portOf as socketPortOf } from '@nxmesh/model/listen-address'
import { passProblem, portProblems } from '../../check-stream.ts'
import { takesAll } from '../../shared-sockets.ts'
import { streamAnswers } from '../../stream-directives.ts'
import type { CertificateFiles, CertificatePaths } from '../certificates.ts'
import { addressesAt, type PlannedPort, singlesShared } from '../plan.ts'
import { absences, presentAddresses } from '../present-addresses.ts'
import { type CustomStatements, readCustomDirectives } from '../read-custom.ts'
import { type Report, reportOnStream } from '../report.ts'
import type { RenderTarget } from '../target.ts'

/** A stream host that can be served. */
export interface PlannedStream {
  host: ConfigStreamHost
  /** Where it listens: on single addresses, or on all of them. */
  addresses: string[]
  files?: CertificatePaths
  custom: CustomStatements
}

/** Decides which stream hosts can be served on which addresses; the others are reported as errors and left out. `taken` are the ports of virtual hosts. */
export function planStreams(
  { stream_hosts = [], upstreams }: AgentConfig,
  target: RenderTarget,
  { certificates, taken }: { certificates: CertificateFiles; taken: readonly PlannedPort[] },
  report: Report,
): PlannedStream[] {
  const holders = holdersOf(taken)
  const byId = new Map(upstreams.map((upstream) => [upstream.id, upstream]))
  return stream_hosts.flatMap((host): PlannedStream[] => {
    const custom = readCustomDirectives(host, 'stream_host', (field, message) =>
      reportOnStream(report, 'error', host, field, `is left out: ${message}`),
    )
    const files = certificates.get(host.ssl_certificate_id ?? '')
    const obstacle =
      obstacleOnHost(host, target) ??
      (host.ssl_enabled && !files ? { field: 'ssl_certificate_id', reason: 'its certificate is not on this agent' } : undefined) ??
      obstacleOnTheWay(host, host.upstream_id === undefined ? undefined : byId.get(host.upstream_id), custom)
    if (obstacle) {
      reportOnStream(report, 'error', host, obstacle.field, `is left out: ${obstacle.reason}`)
      return []
    }
    const present = presentAddresses(host, target)
    for (const { field, message } of absences(host, present, target)) reportOnStream(report, 'error', host, field, message)
    const addresses = takeAddresses(host, present, holders, report)
    if (addresses.length === 0) return []
    return [{ host, addresses, custom, ...(host.ssl_enabled && files && { files }) }]
  })
}

/**
 * Stream hosts while sockets are shared on the way to others: as virtual hosts, those of a port are on its shared single addresses
 * alone. Where the port is kept open on all addresses for virtual hosts, `taken`, none of TCP can be beside them.
 */
export function streamsWithinShared(
  streams: readonly PlannedStream[],
  target: RenderTarget,
  taken: readonly PlannedPort[],
): PlannedStream[] {
  const { reuseport = [] } = target
  if (reuseport.length === 0) return [...streams]
  const kept = new Set(taken.flatMap(({ port }) => (reuseport.some((socket) => socket.port === port && takesAll(socket)) ? port : [])))
  const own = new Set(streams.flatMap(({ host, addresses }) => addresses.map((address) => `${portOf(host)} ${address}`)))
  return streams.flatMap((planned) => {
    const { host } = planned
    if (socketPortOf(host) === 0) return [planned]
    const shared = host.protocol === 'tcp' ? singlesShared(host.listen_port, target) : []
    if (shared.length === 0) return host.protocol === 'tcp' && kept.has(host.listen_port) ? [] : [planned]
    const addresses = shared.filter((each) => planned.addresses.includes(own.has(`${portOf(host)} ${each}`) ? each : everyAddress))
    return addresses.length === 0 ? [] : [{ ...planned, addresses }]
  })
}

/** The names of those who have a port of a protocol, by address. */
interface Holders {
  streams: Map<string, string>
  virtual: ReadonlyMap<string, ReadonlySet<string>>
}

function holdersOf(ports: readonly PlannedPort[]): Holders {
  const virtual = ports.flatMap((port): [string, Set<string>][] => {
    const datagrams = port.hosts.flatMap(({ http3, addresses }) => (http3 ? addresses : []))
    return [
      [`tcp ${port.port}`, new Set(addressesAt(port))],
      [`udp ${port.port}`, new Set(datagrams)],
    ]
  })
  return { streams: new Map(), virtual: new Map(virtual) }
}

function portOf(host: ConfigStreamHost): string {
  return `${host.protocol} ${socketPortOf(host)}`
}

/** The addresses on which a host can stand beside those that came before it. */
function takeAddresses(host: ConfigStreamHost, addresses: readonly string[], holders: Holders, report: Report): string[] {
  const port = portOf(host)
  const rivals = addresses.flatMap((address) => {
    const holder = holders.streams.get(`${port} ${address}`) ?? virtualHolder(host, address, holders)
    return holder === undefined ? [] : [{ address, holder }]
  })
  const isWhole = rivals.length === addresses.length
  for (const { address, holder } of isWhole ? rivals.slice(0, 1) : rivals) {
    const field = address === everyAddress ? 'listen_port' : `listen_addresses.${addressesOf(host).indexOf(address)}`
    const outcome = isWhole ? 'is left out' : `does not listen on ${address}`
    const what = isUnixSocket(address) ? address : `port ${port.toUpperCase()}`
    reportOnStream(report, 'error', host, field, `${outcome}: ${holder} has ${what} already`)
  }
  const free = addresses.filter((address) => !rivals.some((rival) => rival.address === address))
  for (const address of free) holders.streams.set(`${port} ${address}`, `"${host.name}"`)
  return free
}

/** Virtual hosts have sockets of their own, and the kernel opens no TCP port on all addresses beside a single one. UDP it does. */
function virtualHolder(host: ConfigStreamHost, address: string, { virtual }: Holders): string | undefined {
  const theirs = virtual.get(portOf(host))
  if (!theirs || theirs.size === 0) return undefined
  const clashes = host.protocol === 'tcp' && (address === everyAddress || theirs.has(everyAddress))
  return theirs.has(address) || clashes ? 'a virtual host' : undefined
}

interface Obstacle {
  field: string
  reason: string
}

function obstacleOnHost(host: ConfigStreamHost, { mode, facts }: RenderTarget): Obstacle | undefined {
  const { supports, version } = facts
  if (mode === 'include')
    return {
      field: 'protocol',
      reason: "NxMesh is only included in the http block of the host's nginx.conf, where streams cannot stand; let the agent own nginx",
    }
  if (!supports.stream) return { field: 'protocol', reason: `nginx ${version} here has no stream module; Debian's is libnginx-mod-stream` }
  if ((host.ssl_enabled || host.proxy?.ssl) && !supports.stream_ssl)
    return { field: host.ssl_enabled ? 'ssl_enabled' : 'proxy.ssl', reason: `nginx ${version} here is built without TLS for streams` }
  // Rules by address would judge the proxy in the place of its clients.
  if (host.accept_proxy_protocol?.trusted.length && !supports.stream_realip)
    return { field: 'accept_proxy_protocol.trusted', reason: `nginx ${version} here is built without its real-ip module for streams` }
  return undefined
}

function obstacleOnTheWay(
  { upstream_id }: ConfigStreamHost,
  upstream: AgentConfig['upstreams'][number] | undefined,
  { statements }: CustomStatements,
): Obstacle | undefined {
  if (upstream_id === undefined) {
    const answer = statements.find(({ name }) => streamAnswers.has(name))
    if (!answer) return { field: 'upstream_id', reason: 'nothing says where it goes' }
    const reason = passProblem(answer)
    return reason === undefined ? undefined : { field: answer.field, reason: `"${answer.name}" ${reason}` }
  }
  if (!upstream) return { field: 'upstream_id', reason: 'its upstream is not on this agent' }
  const [problem] = portProblems(upstream)
  return problem && { field: 'upstream_id', reason: problem.message }
}
