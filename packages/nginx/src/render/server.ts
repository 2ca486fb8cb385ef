import { quote } from '../quote.ts'
import { commented } from './comment.ts'
import type { Statement } from './custom-directives.ts'
import { type HeaderSet, noHeaders, proxyHeaders, requestLine, responseLines, withStatements } from './headers.ts'
import { renderTypes, virtualHostVariable } from './http.ts'
import { renderLocation } from './location.ts'
import { connectionOf } from './location-content.ts'
import type { PlannedHost, PlannedPort } from './plan.ts'
import { readCustomDirectives } from './read-custom.ts'
import type { Rendering } from './rendering.ts'
import { reportOn } from './report.ts'

const indent = '    '

/** Writes the server that answers for every name nobody has. Only in an nginx of ours: on a port that the host's own servers use too, it is theirs to decide. */
export function renderFallback(rendering: Rendering, port: PlannedPort): void {
  const { writer, target } = rendering
  writer.from(undefined)
  writer.line(`# names that no virtual host on port ${port.port} has`)
  writer.line('server {')
  const quic = port.hosts.some((planned) => planned.http3)
  const options = `${port.tls ? ' ssl' : ''} default_server`
  listen(rendering, port.port, options)
  if (quic) listen(rendering, port.port, ' quic reuseport default_server')
  if (port.tls) {
    if (target.facts.supports.reject_handshake) writer.line(`${indent}ssl_reject_handshake on;`)
    else writeCertificate(rendering, port.hosts[0]!)
  }
  writer.line(`${indent}access_log off;`)
  writer.line(`${indent}return 444;`)
  writer.line('}')
}

/** Writes one virtual host. */
export function renderHost(rendering: Rendering, port: PlannedPort, planned: PlannedHost): void {
  const { writer, target } = rendering
  const { host } = planned
  const source = { kind: 'virtual_host', id: host.id, name: host.name } as const
  const custom = readCustomDirectives(host.custom_directives, (name, message) =>
    reportOn(rendering.report, 'error', host, `custom_directives.${name}`, `is left out: ${message}`),
  )
  writer.from(source)
  writer.line(`# virtual host ${commented(host.name)}, ${commented(host.id)}`)
  writer.line('server {')
  writer.from({ ...source, field: 'listen_port' })
  const fallback = port.fallback === planned && target.mode === 'owned'
  const flag = fallback ? ' default_server' : ''
  const { http2_directive } = target.facts.supports
  listen(rendering, port.port, `${port.tls ? ' ssl' : ''}${planned.http2 && !http2_directive ? ' http2' : ''}${flag}`)
  if (planned.http3 || (fallback && port.hosts.some((other) => other.http3)))
    listen(rendering, port.port, ` quic${ownsQuicSocket(rendering, port, planned) ? ' reuseport' : ''}${flag}`)
  if (http2_directive && port.tls && !custom.has('http2')) {
    writer.from({ ...source, field: 'http2_enabled' })
    writer.line(`${indent}http2 ${planned.http2 ? 'on' : 'off'};`)
  } else if (http2_directive && planned.http2) writer.line(`${indent}http2 on;`)
  writer.from({ ...source, field: 'server_name' })
  writer.line(`${indent}server_name ${planned.names.map(quote).join(' ')};`)
  if (planned.files) {
    writer.from({ ...source, field: 'ssl_certificate_id' })
    writeCertificate(rendering, planned)
  }
  const headers = renderLevel(rendering, planned, custom, source)
  const proxied = host.locations.findIndex((location) => connectionOf(rendering, location) !== undefined)
  const inherited = { headers, connection: proxied === -1 ? undefined : connectionOf(rendering, host.locations[proxied]!) }
  const taken = new Set<string>()
  for (const [at, location] of host.locations.entries())
    renderLocation(rendering, { planned, location, at, inherited, taken, source, server: custom })
  if (!taken.has('/') && !['root', 'return', 'try_files', 'alias'].some((name) => custom.has(name))) {
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
  planned: PlannedHost,
  custom: ReadonlyMap<string, Statement>,
  source: { kind: 'virtual_host'; id: string; name: string },
): HeaderSet {
  const { writer, target, placed } = rendering
  const { host } = planned
  const settings = target.mode === 'include' ? placed.server.filter(({ name }) => !custom.has(name) || isHeader(name)) : []
  const set = (name: string) => custom.has(name) || settings.some((statement) => statement.name === name)
  if (target.mode === 'include') {
    writer.from(source)
    for (const name of ['absolute_redirect', 'port_in_redirect']) if (!set(name)) writer.line(`${indent}${name} off;`)
    if (planned.files && !set('ssl_protocols')) writer.line(`${indent}ssl_protocols TLSv1.2 TLSv1.3;`)
  }
  if (target.access_log !== undefined && !set('access_log')) {
    writer.from(source)
    writer.line(`${indent}set ${virtualHostVariable} ${quote(host.id)};`)
    if (target.mode === 'include') writer.line(`${indent}access_log ${quote(target.access_log)} nxmesh;`)
  }
  for (const { name, text } of settings) {
    if (isHeader(name)) continue
    writer.from({ kind: 'settings', field: `nginx_directives.${name}` })
    writer.lines(indent + text)
  }
  for (const statement of custom.values()) {
    if (isHeader(statement.name)) continue
    writer.from({ ...source, field: `custom_directives.${statement.name}` })
    if (statement.name === 'types') renderTypes(writer, statement, indent)
    else writer.lines(indent + statement.text)
  }
  const first = host.locations.map((location) => connectionOf(rendering, location)).find((connection) => connection !== undefined)
  const base: HeaderSet = first === undefined ? noHeaders : { ...noHeaders, request: byName(proxyHeaders(first)) }
  const shared = withStatements(
    base,
    [...placed.http, ...placed.server].filter(({ name }) => isHeader(name)),
  )
  if (planned.http3) {
    const value = `h3=":${host.listen_port}"; ma=86400`
    ;(shared.response as Map<string, unknown>).set('alt-svc', { name: 'Alt-Svc', value, always: true })
  }
  const headers = withStatements(
    shared,
    [...custom.values()].filter(({ name }) => isHeader(name)),
  )
  writer.from(source)
  if (first !== undefined) {
    if (!set('proxy_http_version')) writer.line(`${indent}proxy_http_version 1.1;`)
    for (const header of headers.request.values()) writer.line(indent + requestLine(header))
  }
  for (const header of headers.response.values()) {
    for (const line of responseLines(header, first !== undefined)) writer.line(indent + line)
  }
  return headers
}

function isHeader(name: string): boolean {
  return name === 'add_header' || name === 'proxy_set_header'
}

function byName<T extends { name: string }>(headers: readonly T[]): Map<string, T> {
  return new Map(headers.map((header) => [header.name.toLowerCase(), header]))
}

/** Socket options belong to the address: nginx wants `reuseport` on one of its servers and no other. */
function ownsQuicSocket(rendering: Rendering, port: PlannedPort, planned: PlannedHost): boolean {
  if (rendering.target.mode === 'owned') return port.fallback === planned
  return port.hosts.find((other) => other.http3) === planned
}

function listen({ writer, target }: Rendering, port: number, options: string): void {
  writer.line(`${indent}listen ${port}${options};`)
  if (target.ipv6) writer.line(`${indent}listen [::]:${port}${options};`)
}

function writeCertificate({ writer }: Rendering, planned: PlannedHost): void {
  writer.line(`${indent}ssl_certificate ${quote(planned.files!.certificate)};`)
  writer.line(`${indent}ssl_certificate_key ${quote(planned.files!.key)};`)
}
