import { everyAddress, isUnixSocket } from '@nxmesh/model/listen-address'
import type { TlsOptions } from '@nxmesh/model/tls'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { accessLogName, virtualHostVariable } from '../access-log.ts'
import { quote } from '../quote.ts'
import { listenName, socketsOf } from '../shared-sockets.ts'
import { writeChallengeAnswer } from './challenges.ts'
import { commented } from './comment.ts'
import {
  type ConnectionKind,
  cacheStatus,
  type HeaderSet,
  noHeaders,
  proxyHeaders,
  responseHeader,
  setsHeader,
  withResponse,
  withStatements,
  writeRequest,
  writeResponse,
} from './headers.ts'
import { renderTypes } from './http.ts'
import { renderLocation } from './location.ts'
import { connectionOf } from './location-content.ts'
import { withoutMissing } from './optional-modules.ts'
import { type Maintenance, maintenanceOf } from './options/maintenance.ts'
import { noteUsers, optionLines, usableLines, writeOptions } from './options.ts'
import { addressesAt, hostsAt, type PlannedHost, type PlannedPort, placeWords, speaksProxyProtocol, speaksTls } from './plan.ts'
import { type CustomStatements, readCustomDirectives } from './read-custom.ts'
import { writeRedirectLocations, writeServerRedirects } from './redirect.ts'
import type { Rendering } from './rendering.ts'
import { reportOn } from './report.ts'
import { writeTlsPolicy } from './tls.ts'
import type { LineSource } from './writer.ts'

type Hsts = NonNullable<TlsOptions['hsts']>

const indent = '    '

/** Writes the servers that answer for every name nobody has, one for each address. Only in an nginx of ours: on a port that the host's own servers use too, it is theirs to decide. */
export function renderFallbacks(rendering: Rendering, port: PlannedPort): void {
  for (const address of addressesAt(port)) if (!port.fallbacks.has(address)) renderFallback(rendering, port, address)
}

function renderFallback(rendering: Rendering, port: PlannedPort, address: string): void {
  const { writer, target } = rendering
  const hosts = hostsAt(port, address)
  const tls = speaksTls(port, address)
  writer.from(undefined)
  writer.line(`# names that no virtual host on ${placeWords(port.port, address)} has`)
  writer.line('server {')
  listen(rendering, port.port, address, `${protocolsOf(port, address)} default_server`)
  if (hosts.some((planned) => planned.http3)) listen(rendering, port.port, address, `${quicSocket(port, address)} default_server`)
  if (tls) {
    if (target.facts.supports.reject_handshake) writer.line(`${indent}ssl_reject_handshake on;`)
    else writeCertificate(rendering, hosts[0]!)
  }
  if (target.facts.supports.http2_directive && speaksPlainHttp2(port, [address])) writer.line(`${indent}http2 on;`)
  writer.line(`${indent}access_log off;`)
  if (!tls && rendering.challenges?.port === port.port) writeChallengeAnswer(writer, indent)
  writer.line(`${indent}return 444;`)
  writer.line('}')
}

/** Without TLS nothing names a server before the first byte, so nginx asks the default server of the address whether HTTP/2 is spoken: all there say the same. */
function speaksPlainHttp2(port: PlannedPort, addresses: readonly string[]): boolean {
  return addresses.some((address) => port.http2.has(address) && !speaksTls(port, address))
}

/** Writes one virtual host. */
export function renderHost(rendering: Rendering, port: PlannedPort, planned: PlannedHost): void {
  const { writer, target } = rendering
  const { host } = planned
  const source = { kind: 'virtual_host', id: host.id, name: host.name } as const
  const read = readCustomDirectives(host, 'server', (field, message) =>
    reportOn(rendering.report, 'error', host, field, `is left out: ${message}`),
  )
  const custom = withoutMissing(read, rendering, (severity, field, message) => reportOn(rendering.report, severity, host, field, message))
  writer.from(source)
  writer.line(`# virtual host ${commented(host.name)}, ${commented(host.id)}`)
  writer.line('server {')
  writer.from({ ...source, field: host.listen_addresses ? 'listen_addresses' : 'listen_port' })
  const { http2_directive } = target.facts.supports
  for (const address of planned.addresses) {
    const fallback = port.fallbacks.get(address) === planned && target.mode === 'owned'
    const flag = fallback ? ' default_server' : ''
    listen(rendering, port.port, address, `${protocolsOf(port, address)}${planned.http2 && !http2_directive ? ' http2' : ''}${flag}`)
    if (!planned.http3 && !(fallback && hostsAt(port, address).some((other) => other.http3))) continue
    const first = target.mode === 'owned' ? fallback : hostsAt(port, address).find((other) => other.http3) === planned
    listen(rendering, port.port, address, `${first ? quicSocket(port, address) : ' quic'}${flag}`)
  }
  if (http2_directive && !custom.names.has('http2') && (planned.files || speaksPlainHttp2(port, planned.addresses))) {
    writer.from({ ...source, field: 'http2_enabled' })
    writer.line(`${indent}http2 ${planned.http2 || !planned.files ? 'on' : 'off'};`)
  }
  writer.from({ ...source, field: 'server_name' })
  writer.line(`${indent}server_name ${planned.names.map(quote).join(' ')};`)
  if (planned.files) {
    writer.from({ ...source, field: 'ssl_certificate_id' })
    writeCertificate(rendering, planned)
  }
  const inherited = renderLevel(rendering, port, planned, custom, source)
  const taken = new Set<string>()
  writeRedirectLocations(rendering, host, source, taken)
  for (const [at, location] of host.locations.entries())
    renderLocation(rendering, { planned, location, at, inherited, taken, source, server: custom })
  if (!taken.has('/') && !['root', 'return', 'try_files', 'alias'].some((name) => custom.names.has(name))) {
    writer.from(source)
    writer.line(`${indent}location / {`)
    writer.line(`${indent}${indent}return 404;`)
    writer.line(`${indent}}`)
  }
  writer.from(source)
  writer.line('}')
}

/** Writes what the server sets for all its locations, and gives the headers that they inherit. */
function renderLevel(
  rendering: Rendering,
  port: PlannedPort,
  planned: PlannedHost,
  custom: CustomStatements,
  source: { kind: 'virtual_host'; id: string; name: string },
): { headers: HeaderSet; connection: ConnectionKind | undefined } {
  const { writer, target, placed, report } = rendering
  const { host } = planned
  const options = usableLines(
    optionLines(host, {
      key: host.id,
      host: host.id,
      cache: placed.cache,
      speaks: { http: true, grpc: host.locations.some(speaksGrpc) },
      folder: rendering.folder,
    }),
    target,
    (name) => custom.names.has(name),
    (severity, field, message) => reportOn(report, severity, host, field, message),
  )
  noteUsers(rendering, host, host.id)
  const own = new Set([...custom.names, ...options.map(({ name }) => name)])
  const settings = target.mode === 'include' ? placed.server.filter((statement) => !own.has(statement.name) || setsHeader(statement)) : []
  const common = target.mode === 'include' ? placed.options.filter(({ name }) => !own.has(name)) : []
  const set = (name: string) => custom.names.has(name) || settings.some((statement) => statement.name === name)
  if (target.mode === 'include') {
    writer.from(source)
    for (const name of ['absolute_redirect', 'port_in_redirect']) if (!set(name)) writer.line(`${indent}${name} off;`)
  }
  if (planned.files) writeTls(rendering, planned, set, source)
  if (target.access_log !== undefined && !set('access_log')) {
    writer.from(source)
    writer.line(`${indent}set ${virtualHostVariable} ${quote(host.id)};`)
    if (target.mode === 'include') writer.line(`${indent}access_log ${quote(target.access_log)} ${accessLogName};`)
  }
  writer.from(source)
  if (!planned.files && rendering.challenges?.port === port.port) writeChallengeAnswer(writer, indent)
  for (const statement of settings) {
    if (setsHeader(statement)) continue
    writer.from({ kind: 'settings', field: statement.field })
    writer.lines(indent + statement.text)
  }
  const closed = maintenanceOf(host.maintenance)
  if (closed) writeMaintenance(rendering, closed, { ...source, field: 'maintenance' })
  writeServerRedirects(rendering, host, source)
  writeOptions(rendering, common, { source: { kind: 'settings' }, prefix: '', indent })
  writeOptions(rendering, options, { source, prefix: '', indent })
  for (const statement of custom.statements) {
    if (setsHeader(statement)) continue
    writer.from({ ...source, field: statement.field })
    if (statement.name === 'types') renderTypes(writer, statement, indent)
    else writer.lines(indent + statement.text)
  }
  let first: ConnectionKind | undefined
  for (const location of host.locations) first ??= connectionOf(rendering, location)
  let headers = first === undefined ? noHeaders : proxyHeaders[first]
  headers = withStatements(withStatements(headers, placed.http), placed.server)
  const hsts = planned.files ? host.tls?.hsts : undefined
  if (hsts) headers = withResponse(headers, responseHeader('Strict-Transport-Security', hstsValue(hsts), true))
  if (planned.http3) headers = withResponse(headers, responseHeader('Alt-Svc', `h3=":${host.listen_port}"; ma=86400`, true))
  if (host.proxy_cache?.status_header) headers = withResponse(headers, cacheStatus)
  headers = withStatements(headers, custom.statements)
  writer.from(source)
  if (first !== undefined) {
    if (!set('proxy_http_version')) writer.line(`${indent}proxy_http_version 1.1;`)
    writeRequest(writer, headers.request, indent)
  }
  writeResponse(writer, headers.response, first !== undefined, indent)
  // Not among the headers that locations inherit: an upstream's own header of that name is not to give way.
  if (closed) writer.line(`${indent}add_header Retry-After ${closed.variable} always;`)
  return { headers, connection: first }
}

function writeMaintenance({ writer, shared }: Rendering, { variable, shared: statement }: Maintenance, source: LineSource): void {
  shared.set(statement, source)
  writer.from(source)
  writer.line(`${indent}if (${variable}) {`)
  writer.line(`${indent}${indent}return 503;`)
  writer.line(`${indent}}`)
}

// In an nginx of ours the http block holds what the settings say; elsewhere it is the host's.
function writeTls(rendering: Rendering, { host, files }: PlannedHost, isSet: (name: string) => boolean, source: LineSource): void {
  const { writer, target, policy, report, placed } = rendering
  const own = host.tls?.policy
  if (target.mode === 'include' || (own !== undefined && own !== policy)) {
    writer.from({ ...source, field: 'tls.policy' })
    writeTlsPolicy(writer, own ?? policy, isSet, indent)
  }
  if (!host.tls?.ocsp_stapling || isSet('ssl_stapling')) return
  const warn = (message: string) => reportOn(report, 'warning', host, 'tls.ocsp_stapling', message)
  const resolves = target.mode === 'include' || isSet('resolver') || placed.http.some(({ name }) => name === 'resolver')
  if (!files!.hasOcsp) warn('is not set: the certificate names no OCSP responder')
  else if (!resolves) warn('is not set: nginx needs a resolver for it, in nginx_directives of the settings')
  else {
    writer.from({ ...source, field: 'tls.ocsp_stapling' })
    writer.line(`${indent}ssl_stapling on;`)
  }
}

function hstsValue({ max_age, include_subdomains, preload }: Hsts): string {
  return `max-age=${max_age}${include_subdomains ? '; includeSubDomains' : ''}${preload ? '; preload' : ''}`
}

/** What every server on an address says of it in the same words: nginx takes what one of them says for all, and warns where they differ. */
export function protocolsOf(port: PlannedPort, address: string): string {
  return `${speaksTls(port, address) ? ' ssl' : ''}${speaksProxyProtocol(port, address) ? ' proxy_protocol' : ''}`
}

/**
 * Socket options belong to the address: nginx wants `reuseport` on one of its servers and no other. Where a socket takes datagrams for all
 * addresses, one address has none of its own.
 */
function quicSocket(port: PlannedPort, address: string): string {
  const shared = address !== everyAddress && hostsAt(port, everyAddress).some((planned) => planned.http3)
  return shared ? ' quic' : ' quic reuseport'
}

export function listen(rendering: Rendering, port: number, address: string, options: string): void {
  if (isUnixSocket(address)) return rendering.writer.line(`${indent}listen ${quote(address)}${options};`)
  const isTcp = !/ (?:quic|udp)\b/.test(options)
  for (const socket of socketsOf({ port, ...(address !== everyAddress && { address }) }, rendering.target.ipv6)) {
    const name = listenName(socket)
    const shares = isTcp && rendering.unshared.delete(name)
    rendering.writer.line(`${indent}listen ${quote(name)}${options}${shares ? ' reuseport' : ''};`)
  }
}

/** Writes servers for sockets that have to stay open though nobody listens there any more, or not yet. */
export function renderKept({ writer, unshared }: Rendering): void {
  writer.from(undefined)
  for (const name of unshared) {
    writer.line('# open only until nginx can open others of this port')
    writer.line('server {')
    writer.line(`${indent}listen ${quote(name)} reuseport;`)
    writer.line(`${indent}access_log off;`)
    writer.line(`${indent}return 444;`)
    writer.line('}')
  }
}

function writeCertificate({ writer }: Rendering, planned: PlannedHost): void {
  writer.line(`${indent}ssl_certificate ${quote(planned.files!.certificate)};`)
  writer.line(`${indent}ssl_certificate_key ${quote(planned.files!.key)};`)
}
