import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { defaultHttpPort } from '@nxmesh/model/http-port'
import { parseServerNames } from '@nxmesh/model/server-name'
import { compareVersions } from '../facts.ts'
import { decidesByLua } from '../lua-directives.ts'
import { luaOfHost, luaOfSettings } from '../lua-use.ts'
import type { CertificateFiles, CertificatePaths } from './certificates.ts'
import { type Report, reportOn } from './report.ts'
import type { RenderTarget } from './target.ts'

/** A virtual host that can be served, with everything about its listening decided. */
export interface PlannedHost {
  host: ConfigVirtualHost
  names: string[]
  files?: CertificatePaths
  http2: boolean
  http3: boolean
  lua: boolean
}

/** The plain side of a virtual host that speaks TLS: it answers challenges, and leads to HTTPS where that is wanted and served. */
export interface Companion {
  host: ConfigVirtualHost
  names: string[]
  redirects: boolean
}

/** One port: what all its virtual hosts share. The first of them decides whether it speaks TLS. */
export interface PlannedPort {
  port: number
  tls: boolean
  hosts: PlannedHost[]
  companions: Companion[]
  /** The virtual host named `_`, which answers for every name that no other has. */
  fallback?: PlannedHost
}

/** Decides which virtual hosts can be served on which port; the others are reported as errors and left out, so that they never break the rest. */
export function planPorts(config: AgentConfig, target: RenderTarget, certificates: CertificateFiles, report: Report): PlannedPort[] {
  const ports = new Map<number, PlannedPort>()
  const common = luaOfSettings(config.settings).find(({ name }) => decidesByLua(name))
  for (const host of config.virtual_hosts) {
    const lua = luaOfHost(host)
    if (!target.facts.supports.lua && (lua.length > 0 || common)) {
      const [field, why] = lua[0]
        ? [lua[0].field, '']
        : ['server_name', ` and "${common!.name}" of the settings is to decide on its requests`]
      reportOn(report, 'error', host, field, `the virtual host is left out: ${lacksLua(target)}${why}`)
      continue
    }
    const planned = planHost(host, target, certificates, report)
    if (!planned) continue
    planned.lua = lua.length > 0
    const port = ports.get(host.listen_port) ?? { port: host.listen_port, tls: host.ssl_enabled, hosts: [], companions: [] }
    if (port.tls !== host.ssl_enabled) {
      const message = `is left out: port ${port.port} ${port.tls ? 'speaks TLS' : 'does not speak TLS'} for "${port.hosts[0]!.host.name}"`
      reportOn(report, 'error', host, 'ssl_enabled', message)
      continue
    }
    if (planned.names.includes('_')) {
      if (port.fallback)
        reportOn(report, 'warning', host, 'server_name', `"_" is taken by "${port.fallback.host.name}" on port ${port.port}`)
      else port.fallback = planned
    }
    port.hosts.push(planned)
    ports.set(port.port, port)
  }
  planCompanions(config, ports, report)
  const sorted = [...ports.values()].sort((a, b) => a.port - b.port)
  for (const port of sorted) if (!target.facts.supports.http2_directive || !port.tls) reportSharedHttp2(port, report)
  if (compareVersions(target.facts.version, ownProtocolsSince) < 0)
    for (const port of sorted) reportSharedProtocols(port, config.settings, report)
  return sorted
}

/** Why Lua cannot be run. */
export function lacksLua({ facts, mode }: RenderTarget): string {
  return mode === 'owned' ? `nginx ${facts.version} here has no Lua module` : "the host's own nginx.conf loads no Lua module"
}

function planCompanions(
  { virtual_hosts, acme_thumbprints = {}, settings }: AgentConfig,
  ports: Map<number, PlannedPort>,
  report: Report,
): void {
  const { http_port = defaultHttpPort } = settings
  const served = new Set([...ports.values()].flatMap(({ hosts }) => hosts.map(({ host }) => host)))
  const taken = new Set(ports.get(http_port)?.hosts.flatMap(({ names }) => names))
  for (const host of virtual_hosts) {
    const parsed = parseServerNames(host.server_name)
    if (!host.ssl_enabled || !parsed.ok) continue
    const wanted = host.tls?.redirect_http === true
    if (!wanted && !parsed.names.some((name) => Object.hasOwn(acme_thumbprints, name))) continue
    const port = ports.get(http_port) ?? { port: http_port, tls: false, hosts: [], companions: [] }
    if (port.tls) {
      const field = wanted ? 'tls.redirect_http' : 'ssl_certificate_id'
      reportOn(report, 'error', host, field, `nothing is answered over plain HTTP: port ${http_port} speaks TLS`)
      continue
    }
    const names = parsed.names.filter((name) => name !== '_' && !taken.has(name))
    if (names.length === 0) continue
    for (const name of names) taken.add(name)
    port.companions.push({ host, names, redirects: wanted && served.has(host) })
    ports.set(http_port, port)
  }
}

function planHost(host: ConfigVirtualHost, target: RenderTarget, certificates: CertificateFiles, report: Report): PlannedHost | undefined {
  const parsed = parseServerNames(host.server_name)
  if (!parsed.ok) {
    reportOn(report, 'error', host, 'server_name', `is left out: ${parsed.message}`)
    return undefined
  }
  const { supports, version } = target.facts
  const planned: PlannedHost = { host, names: parsed.names, http2: false, http3: false, lua: false }
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

// Until then nginx took the protocols of the port's default server for all names on it, before it knew which was meant.
const ownProtocolsSince = '1.29.2'

function reportSharedProtocols(port: PlannedPort, { tls_policy: common = 'intermediate' }: AgentConfig['settings'], report: Report): void {
  if (!port.tls) return
  const ruling = port.fallback?.host.tls?.policy ?? common
  for (const { host } of port.hosts) {
    const own = host.tls?.policy ?? common
    if (own === ruling) continue
    const message = `the protocols of policy ${ruling} hold for all of port ${port.port} with nginx before ${ownProtocolsSince}: only the ciphers of ${own} are this host's own`
    reportOn(report, 'warning', host, 'tls.policy', message)
  }
}

function reportSharedHttp2(port: PlannedPort, report: Report): void {
  if (!port.hosts.some((planned) => planned.http2)) return
  for (const { host, http2 } of port.hosts) {
    if (!http2) reportOn(report, 'warning', host, 'http2_enabled', `speaks HTTP/2 all the same, as others on port ${port.port} do`)
  }
}
