import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { defaultHttpPort } from '@nxmesh/model/http-port'
import { everyAddress } from '@nxmesh/model/listen-address'
import { parseServerNames } from '@nxmesh/model/server-name'
import { compareVersions, type NginxSupport } from '../facts.ts'
import { decidesByLua } from '../lua-directives.ts'
import { type LoadableModule, moduleWords } from '../module-directives.ts'
import { modulesOfHost, modulesOfSettings } from '../module-use.ts'
import { takesAll } from '../shared-sockets.ts'
import type { CertificateFiles, CertificatePaths } from './certificates.ts'
import { absences, presentAddresses } from './present-addresses.ts'
import { type Report, reportOn } from './report.ts'
import type { RenderTarget } from './target.ts'

/** A virtual host that can be served, with everything about its listening decided. */
export interface PlannedHost {
  host: ConfigVirtualHost
  names: string[]
  /** Where it listens: on single addresses, or on all of them. */
  addresses: string[]
  files?: CertificatePaths
  http2: boolean
  http3: boolean
  /** Those that nginx must load for it. */
  modules: ReadonlySet<LoadableModule>
}

/** The plain side of a virtual host that speaks TLS: it answers challenges, and leads to HTTPS where that is wanted and served. */
export interface Companion {
  host: ConfigVirtualHost
  names: string[]
  addresses: string[]
  redirects: boolean
}

/** One port: what all its virtual hosts share. */
export interface PlannedPort {
  port: number
  /** The first virtual host on each address, which decides whether TLS and the PROXY protocol are spoken there: nginx knows it for a socket, not for a name. */
  first: Map<string, PlannedHost>
  hosts: PlannedHost[]
  /** The addresses on which one of them speaks HTTP/2. */
  http2: Set<string>
  companions: Companion[]
  /** The virtual hosts named `_`, by the address on which each answers for every name that no other host there has. */
  fallbacks: Map<string, PlannedHost>
}

/** The addresses of a port that have servers of their own: nginx gives a request to those that listen on the very address, and only without such to those on all. */
export function addressesAt({ hosts, companions }: Pick<PlannedPort, 'hosts' | 'companions'>): string[] {
  return [...new Set([...hosts, ...companions].flatMap(({ addresses }) => addresses))]
}

/** The virtual hosts of a port that listen on an address. */
export function hostsAt({ hosts }: Pick<PlannedPort, 'hosts'>, address: string): PlannedHost[] {
  return hosts.filter(({ addresses }) => addresses.includes(address))
}

/** The single addresses of a port on which others may be opened beside. */
export function singlesShared(port: number, { reuseport = [] }: RenderTarget): string[] {
  return reuseport.filter((socket) => socket.port === port && !takesAll(socket)).map(({ address }) => address)
}

/** A port whose single addresses are shared has its servers on these alone: those that would answer there if it were open on all. */
export function withinShared(port: PlannedPort, target: RenderTarget): PlannedPort {
  const shared = singlesShared(port.port, target)
  if (shared.length === 0) return port
  const own = new Set(addressesAt(port))
  const onShared = <T extends { addresses: string[] }>(servers: T[]): T[] =>
    servers
      .map((server) => ({ ...server, addresses: shared.filter((each) => server.addresses.includes(own.has(each) ? each : everyAddress)) }))
      .filter(({ addresses }) => addresses.length > 0)
  const hosts = onShared(port.hosts)
  const fallbacks = shared.flatMap((address): [string, PlannedHost][] => {
    const fallback = port.fallbacks.get(own.has(address) ? address : everyAddress)
    const host = hosts.find((planned) => planned.host === fallback?.host)
    return host ? [[address, host]] : []
  })
  const first = shared.flatMap((address): [string, PlannedHost][] => {
    const host = hosts.find(({ addresses }) => addresses.includes(address))
    return host ? [[address, host]] : []
  })
  const http2 = new Set(hosts.flatMap((planned) => (planned.http2 ? planned.addresses : [])))
  return { ...port, first: new Map(first), hosts, http2, companions: onShared(port.companions), fallbacks: new Map(fallbacks) }
}

/** Whether TLS is spoken on an address of a port. */
export function speaksTls({ first }: Pick<PlannedPort, 'first'>, address: string): boolean {
  return first.get(address)?.files !== undefined
}

/** Whether connections to an address of a port begin with a header of the PROXY protocol: like TLS this holds for all servers there. */
export function speaksProxyProtocol({ first, companions }: Pick<PlannedPort, 'first' | 'companions'>, address: string): boolean {
  const host = first.get(address)?.host ?? companions.find(({ addresses }) => addresses.includes(address))?.host
  return host?.accept_proxy_protocol !== undefined
}

/** Decides which virtual hosts can be served on which port; the others are reported as errors and left out, so that they never break the rest. */
export function planPorts(config: AgentConfig, target: RenderTarget, certificates: CertificateFiles, report: Report): PlannedPort[] {
  const ports = new Map<number, PlannedPort>()
  const { supports } = target.facts
  const common = supports.lua ? undefined : modulesOfSettings(config.settings).find(({ name }) => decidesByLua(name))
  for (const host of config.virtual_hosts) {
    const uses = modulesOfHost(host)
    const lacking = uses.find(({ module }) => !supports[module])
    if (lacking) {
      reportOn(report, 'error', host, lacking.field, `the virtual host is left out: ${lacksModule(target, lacking.module)}`)
      continue
    }
    if (common) {
      const why = `${lacksModule(target, 'lua')} and "${common.name}" of the settings is to decide on its requests`
      reportOn(report, 'error', host, 'server_name', `the virtual host is left out: ${why}`)
      continue
    }
    const planned = planHost(host, target, certificates, report)
    if (!planned) continue
    planned.modules = new Set(uses.map(({ module }) => module))
    const port = ports.get(host.listen_port) ?? emptyPort(host.listen_port)
    planned.addresses = takeAddresses(port, planned, report)
    if (planned.addresses.length === 0) continue
    if (planned.names.includes('_')) takeFallbacks(port, planned, report)
    if (planned.http2) for (const address of planned.addresses) port.http2.add(address)
    port.hosts.push(planned)
    ports.set(port.port, port)
  }
  planCompanions(config, ports, target, report)
  const sorted = [...ports.values()].sort((a, b) => a.port - b.port)
  for (const port of sorted) reportSharedHttp2(port, supports, report)
  if (compareVersions(target.facts.version, ownProtocolsSince) < 0)
    for (const port of sorted) reportSharedProtocols(port, config.settings, report)
  return sorted
}

/** Why nginx cannot do what needs a module. */
export function lacksModule({ facts, mode }: RenderTarget, module: LoadableModule): string {
  const word = moduleWords[module]
  return mode === 'owned' ? `nginx ${facts.version} here has no ${word} module` : `the host's own nginx.conf loads no ${word} module`
}

function emptyPort(port: number): PlannedPort {
  return { port, first: new Map(), hosts: [], http2: new Set(), companions: [], fallbacks: new Map() }
}

/** The addresses on which a host can stand beside those that came before it. */
function takeAddresses({ port, first }: PlannedPort, planned: PlannedHost, report: Report): string[] {
  const { host, addresses } = planned
  const rivals = addresses.flatMap((address) => {
    const other = first.get(address)
    if (!other) first.set(address, planned)
    const field = other && disagreement(other.host, host)
    return field ? [{ address, other, field }] : []
  })
  const isWhole = rivals.length === addresses.length
  for (const { address, other, field } of isWhole ? rivals.slice(0, 1) : rivals) {
    const where = address === everyAddress ? `port ${port}` : `port ${port} on ${address}`
    const speaks = `${where} ${other.host[field] ? 'speaks' : 'does not speak'} ${protocols[field]} for "${other.host.name}"`
    reportOn(report, 'error', host, field, `${isWhole ? 'is left out' : `does not listen on ${address}`}: ${speaks}`)
  }
  return addresses.filter((address) => !rivals.some((rival) => rival.address === address))
}

const protocols = { ssl_enabled: 'TLS', accept_proxy_protocol: 'the PROXY protocol' } as const

/** The field in which two virtual hosts differ that nginx knows for a socket only. */
function disagreement(one: ConfigVirtualHost, other: ConfigVirtualHost): keyof typeof protocols | undefined {
  const fields = ['ssl_enabled', 'accept_proxy_protocol'] as const
  return fields.find((field) => Boolean(one[field]) !== Boolean(other[field]))
}

function takeFallbacks(port: PlannedPort, planned: PlannedHost, report: Report): void {
  const rivals = new Set<string>()
  for (const address of planned.addresses) {
    const rival = port.fallbacks.get(address)
    if (rival) rivals.add(rival.host.name)
    else port.fallbacks.set(address, planned)
  }
  for (const rival of rivals) reportOn(report, 'warning', planned.host, 'server_name', `"_" is taken by "${rival}" on port ${port.port}`)
}

function planCompanions(
  { virtual_hosts, acme_thumbprints = {}, settings }: AgentConfig,
  ports: Map<number, PlannedPort>,
  target: RenderTarget,
  report: Report,
): void {
  const { http_port = defaultHttpPort } = settings
  const served = new Set([...ports.values()].flatMap(({ hosts }) => hosts.map(({ host }) => host)))
  const placesOf = (names: readonly string[], addresses: readonly string[]) =>
    names.flatMap((name) => addresses.map((address) => `${address} ${name}`))
  const taken = new Set(ports.get(http_port)?.hosts.flatMap(({ names, addresses }) => placesOf(names, addresses)))
  for (const host of virtual_hosts) {
    const parsed = parseServerNames(host.server_name)
    if (!host.ssl_enabled || !parsed.ok) continue
    const wanted = host.tls?.redirect_http === true
    if (!wanted && !parsed.names.some((name) => Object.hasOwn(acme_thumbprints, name))) continue
    const port = ports.get(http_port) ?? emptyPort(http_port)
    const [encrypted, plain] = partition(presentAddresses(host, target), (address) => speaksTls(port, address))
    if (encrypted.length > 0) {
      const field = wanted ? 'tls.redirect_http' : 'ssl_certificate_id'
      const where = encrypted.includes(everyAddress) ? '' : ` on ${encrypted.join(', ')}`
      reportOn(report, 'error', host, field, `nothing is answered over plain HTTP${where}: port ${http_port} speaks TLS`)
    }
    const byNames = Map.groupBy(plain, (address) =>
      parsed.names.filter((name) => name !== '_' && !taken.has(`${address} ${name}`)).join(' '),
    )
    byNames.delete('')
    for (const [free, addresses] of byNames) {
      const names = free.split(' ')
      for (const place of placesOf(names, addresses)) taken.add(place)
      reportOtherProtocol(port, host, addresses, report)
      port.companions.push({ host, names, addresses, redirects: wanted && served.has(host) })
      ports.set(http_port, port)
    }
  }
}

function reportOtherProtocol(port: PlannedPort, host: ConfigVirtualHost, addresses: readonly string[], report: Report): void {
  const accepts = host.accept_proxy_protocol !== undefined
  const decided = addresses.find((address) => port.first.has(address) || port.companions.some((each) => each.addresses.includes(address)))
  if (decided === undefined || speaksProxyProtocol(port, decided) === accepts) return
  const message = `plain HTTP on port ${port.port} ${accepts ? 'takes no' : 'wants the'} PROXY protocol, as others there do not agree`
  reportOn(report, 'warning', host, 'accept_proxy_protocol', message)
}

function planHost(host: ConfigVirtualHost, target: RenderTarget, certificates: CertificateFiles, report: Report): PlannedHost | undefined {
  const parsed = parseServerNames(host.server_name)
  if (!parsed.ok) {
    reportOn(report, 'error', host, 'server_name', `is left out: ${parsed.message}`)
    return undefined
  }
  const { supports, version } = target.facts
  if (host.accept_proxy_protocol?.trusted.length && !supports.realip) {
    reportOn(
      report,
      'error',
      host,
      'accept_proxy_protocol.trusted',
      `is left out: nginx ${version} here is built without its real-ip module`,
    )
    return undefined
  }
  const addresses = presentAddresses(host, target)
  for (const { field, message } of absences(host, addresses, target)) reportOn(report, 'error', host, field, message)
  if (addresses.length === 0) return undefined
  const planned: PlannedHost = { host, names: parsed.names, addresses, http2: false, http3: false, modules: new Set() }
  if (host.ssl_enabled) {
    const files = host.ssl_certificate_id === null ? undefined : certificates.get(host.ssl_certificate_id)
    if (!files || !supports.ssl) {
      const reason = supports.ssl ? 'its certificate is not on this agent' : `nginx ${version} here is built without TLS`
      reportOn(report, 'error', host, supports.ssl ? 'ssl_certificate_id' : 'ssl_enabled', `is left out: ${reason}`)
      return undefined
    }
    planned.files = files
  }
  // Before the directive, `listen … http2` without TLS would turn HTTP/1 off for the whole port.
  planned.http2 = host.http2_enabled && supports.http2 && (host.ssl_enabled || supports.http2_directive)
  if (host.http2_enabled && !planned.http2)
    reportOn(
      report,
      'warning',
      host,
      'http2_enabled',
      `HTTP/2 ${host.ssl_enabled ? '' : 'without TLS '}is not supported by nginx ${version} here`,
    )
  planned.http3 = host.http3_enabled && host.ssl_enabled && supports.http3
  if (host.http3_enabled && !planned.http3)
    reportOn(
      report,
      'warning',
      host,
      'http3_enabled',
      host.ssl_enabled ? `HTTP/3 is not supported by nginx ${version} here` : 'HTTP/3 needs TLS',
    )
  return planned
}

function partition<T>(items: readonly T[], test: (item: T) => boolean): [T[], T[]] {
  return [items.filter(test), items.filter((item) => !test(item))]
}

// Until then nginx took the protocols of the port's default server for all names on it, before it knew which was meant.
const ownProtocolsSince = '1.29.2'

function reportSharedProtocols(port: PlannedPort, { tls_policy: common = 'intermediate' }: AgentConfig['settings'], report: Report): void {
  const rulingAt = (address: string) => port.fallbacks.get(address)?.host.tls?.policy ?? common
  for (const { host, files, addresses } of port.hosts) {
    if (!files) continue
    const own = host.tls?.policy ?? common
    const ruling = addresses.map(rulingAt).find((policy) => policy !== own)
    if (ruling === undefined) continue
    const message = `the protocols of policy ${ruling} hold for all of port ${port.port} with nginx before ${ownProtocolsSince}: only the ciphers of ${own} are this host's own`
    reportOn(report, 'warning', host, 'tls.policy', message)
  }
}

function reportSharedHttp2(port: PlannedPort, { http2_directive }: NginxSupport, report: Report): void {
  for (const { host, http2, files, addresses } of port.hosts) {
    if (files && http2_directive) continue
    if (!http2 && addresses.some((address) => port.http2.has(address)))
      reportOn(report, 'warning', host, 'http2_enabled', `speaks HTTP/2 all the same, as others on port ${port.port} do`)
  }
}
