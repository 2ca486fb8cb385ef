import type { Location } from '@nxmesh/model/location'
import { splitPath } from '@nxmesh/model/location-path'
import { isHeaderName } from '../header-direction.ts'
import { literal, quote, template } from '../quote.ts'
import {
  type ConnectionKind,
  cacheStatus,
  type HeaderSet,
  sameHeaders,
  setsHeader,
  withConnection,
  withCustomHeaders,
  withProxyHost,
  withResponse,
  withStatements,
  writeGrpcRequest,
  writeRequest,
  writeResponse,
} from './headers.ts'
import { renderTypes } from './http.ts'
import { connectionOf, contentOf } from './location-content.ts'
import { locationKey, locationPattern } from './location-path.ts'
import type { NamedProxy } from './named-proxies.ts'
import { withoutMissing } from './optional-modules.ts'
import { noteUsers, optionLines, usableLines, writeOptions } from './options.ts'
import type { PlannedHost } from './plan.ts'
import { type CustomStatements, readCustomDirectives } from './read-custom.ts'
import type { Rendering } from './rendering.ts'
import { reportOn } from './report.ts'

export interface LocationInServer {
  planned: PlannedHost
  location: Location
  at: number
  inherited: { headers: HeaderSet; connection: ConnectionKind | undefined }
  /** The keys of the locations already written. */
  taken: Set<string>
  source: { kind: 'virtual_host'; id: string; name: string }
  server: CustomStatements
}

const controlCharacter = /\p{Cc}/u
const outer = '    '
const indent = '        '

/** Writes one location: rewrite rules, where requests go, headers, files and custom directives, in this order. */
export function renderLocation(rendering: Rendering, input: LocationInServer): void {
  const { writer, report } = rendering
  const { location, at, taken, source, planned } = input
  const { host } = planned
  const field = `locations.${at}`
  const { modifier } = splitPath(location.path)
  const key = locationKey(location.path)
  if (taken.has(key)) {
    reportOn(report, 'error', host, `${field}.path`, `is left out: "${location.path}" is already a location of this virtual host`)
    return
  }
  if (modifier !== '~' && modifier !== '~*') taken.add(key)
  const read = readCustomDirectives(location, 'location', (name, message) =>
    reportOn(report, 'error', host, `${field}.${name}`, `is left out: ${message}`),
  )
  const custom = withoutMissing(read, rendering, (severity, name, message) => reportOn(report, severity, host, `${field}.${name}`, message))
  writer.from({ ...source, field: `${field}.path` })
  writer.line(`${outer}location ${modifier === '' || modifier === '@' ? '' : `${modifier} `}${quote(locationPattern(location.path))} {`)
  for (const [rule, { pattern, replacement, flag }] of location.rewrite_rules.entries()) {
    if (controlCharacter.test(replacement)) {
      reportOn(report, 'error', host, `${field}.rewrite_rules.${rule}.replacement`, 'is left out: it holds control characters')
      continue
    }
    writer.from({ ...source, field: `${field}.rewrite_rules.${rule}` })
    writer.line(`${indent}rewrite ${quote(pattern)} ${template(replacement)}${flag === undefined ? '' : ` ${flag}`};`)
  }
  const content = contentOf(rendering, location, modifier === '' || modifier === '^~' || modifier === '=')
  switch (content.kind) {
    case 'upstream':
      writer.from({ ...source, field: `${field}.upstream_id` })
      writer.line(`${indent}proxy_pass http://${content.block};`)
      break
    case 'proxy':
      writer.from({ ...source, field: `${field}.proxy_pass` })
      writer.line(`${indent}proxy_pass ${template(content.named?.address ?? content.address)};`)
      if (
        content.address.startsWith('https:') &&
        !custom.names.has('proxy_ssl_server_name') &&
        !input.server.names.has('proxy_ssl_server_name')
      )
        writer.line(`${indent}proxy_ssl_server_name on;`)
      if (content.named) renderForName(rendering, input, custom, content.named)
      break
    case 'grpc':
      writer.from({ ...source, field: `${field}.${location.grpc_pass === undefined ? 'upstream_id' : 'grpc_pass'}` })
      writer.line(`${indent}grpc_pass ${content.named?.address ?? content.address};`)
      if (content.address.startsWith('grpcs:') && !custom.names.has('grpc_ssl_server_name'))
        writer.line(`${indent}grpc_ssl_server_name on;`)
      if (!custom.names.has('grpc_ssl_name')) {
        const name = content.name ?? (content.named && quote(content.named.name))
        if (name !== undefined && content.address.startsWith('grpcs:')) writer.line(`${indent}grpc_ssl_name ${name};`)
      }
      break
    case 'unusable':
      reportOn(report, 'error', host, `${field}.${content.field}`, `requests are answered with 502: ${content.message}`)
      writer.from({ ...source, field: `${field}.${content.field}` })
      writer.line(`${indent}return 502;`)
      break
    case 'other':
      break
    default:
      content satisfies never
  }
  const proxies =
    content.kind === 'grpc' ? 'grpc' : content.kind === 'upstream' || content.kind === 'proxy' || custom.names.has('proxy_pass')
  const named = content.kind === 'proxy' || content.kind === 'grpc' ? content.named : undefined
  renderHeaders(rendering, input, custom, { proxies, named })
  const place = `${host.id} ${location.path}`
  noteUsers(rendering, location, place)
  const options = usableLines(
    optionLines(location, {
      key: place,
      host: host.id,
      cache: rendering.placed.cache,
      speaks: { http: proxies !== 'grpc', grpc: proxies === 'grpc' },
      folder: rendering.folder,
    }),
    rendering.target,
    (name) => custom.names.has(name),
    (severity, option, message) => reportOn(report, severity, host, `${field}.${option}`, message),
  )
  writeOptions(rendering, options, { source, prefix: `${field}.`, indent })
  if (location.root !== undefined && !custom.names.has('root')) {
    writer.from({ ...source, field: `${field}.root` })
    writer.line(`${indent}root ${literal(location.root)};`)
  }
  if (location.index !== undefined && !custom.names.has('index')) {
    writer.from({ ...source, field: `${field}.index` })
    writer.line(`${indent}index ${location.index.split(' ').map(literal).join(' ')};`)
  }
  for (const statement of custom.statements) {
    if (setsHeader(statement)) continue
    writer.from({ ...source, field: `${field}.${statement.field}` })
    if (statement.name === 'types') renderTypes(writer, statement, indent)
    else writer.lines(indent + statement.text)
  }
  if (content.kind === 'other' && location.root === undefined && custom.statements.length === 0 && !input.server.names.has('root')) {
    // Without this nginx would look for files in the folder it was built with.
    writer.from({ ...source, field })
    writer.line(`${indent}return 404;`)
  }
  writer.from({ ...source, field })
  writer.line(`${outer}}`)
}

/** Writes what nginx would take from the name in `proxy_pass`, which is not there. */
function renderForName({ writer, placed }: Rendering, input: LocationInServer, custom: CustomStatements, named: NamedProxy): void {
  const own = [...custom.statements, ...input.server.statements, ...placed.http, ...placed.server]
  const statement = (name: string) => own.find((one) => one.name === name)
  if (named.address.startsWith('https:') && !statement('proxy_ssl_name')) writer.line(`${indent}proxy_ssl_name ${quote(named.name)};`)
  const redirect = statement('proxy_redirect')
  if (redirect && redirect.args[0] !== 'default') return
  const path = named.replacesPath ? locationPattern(input.location.path) : '/'
  writer.line(`${indent}proxy_redirect ${quote(named.origin)} ${literal(path)};`)
}

/** Writes the headers in full where a location sets any of its own: nginx drops the inherited ones then. */
function renderHeaders(
  rendering: Rendering,
  input: LocationInServer,
  custom: CustomStatements,
  { proxies, named }: { proxies: boolean | 'grpc'; named: NamedProxy | undefined },
): void {
  const { writer } = rendering
  const { location, at, inherited, source } = input
  const connection = connectionOf(rendering, location)
  const hides = proxies !== false && custom.names.has('proxy_hide_header')
  let headers = inherited.headers
  if (connection !== undefined && connection !== inherited.connection) headers = withConnection(headers, connection)
  if (location.custom_headers.length > 0) headers = withCustomHeaders(headers, usableHeaders(rendering, input), proxies !== false)
  if (location.proxy_cache?.status_header) headers = withResponse(headers, cacheStatus)
  headers = withStatements(headers, custom.statements)
  if (named) headers = withProxyHost(headers, named)
  writer.from({ ...source, field: `locations.${at}.custom_headers` })
  if (proxies === 'grpc') writeGrpcRequest(writer, headers.request, indent)
  else if (proxies && !sameHeaders(headers.request, inherited.headers.request)) writeRequest(writer, headers.request, indent)
  if (proxies === 'grpc' || hides || !sameHeaders(headers.response, inherited.headers.response))
    writeResponse(writer, headers.response, proxies, indent)
}

/** The custom headers but for those that would add lines to a message of HTTP. */
function usableHeaders({ report }: Rendering, { location, at, planned }: LocationInServer): Location['custom_headers'] {
  return location.custom_headers.filter(({ name, value }, header) => {
    const usable = isHeaderName(name) && !controlCharacter.test(value)
    if (!usable)
      reportOn(report, 'error', planned.host, `locations.${at}.custom_headers.${header}`, 'is left out: it is not a header of one line')
    return usable
  })
}
