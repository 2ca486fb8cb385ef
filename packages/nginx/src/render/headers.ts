import type { Location } from '@nxmesh/model/location'
import { headerDirection, mayRepeat, protectsClient } from '../header-direction.ts'
import { quote, template } from '../quote.ts'
import type { Statement } from './custom-directives.ts'
import type { ConfigWriter } from './writer.ts'

/** A header to set, with the statement for it without indentation. An empty value removes it. */
export interface RequestHeader {
  name: string
  value: string
  text: string
}

export interface ResponseHeader extends RequestHeader {
  always: boolean
  /** The statement that makes the upstream's own header of that name give way; a header that may be repeated has none. */
  hide?: string
}

/** Headers by lower-case name: what a level sets, everything it inherits included. */
export interface HeaderSet {
  request: ReadonlyMap<string, RequestHeader>
  response: ReadonlyMap<string, ResponseHeader>
}

/** How a location asks the upstream to treat the connection: keep it for the next request, or close it. An upgrade is passed on by both. */
export type ConnectionKind = 'kept' | 'closed'

export const connectionVariable = { kept: '$nxmesh_connection_kept', closed: '$nxmesh_connection_closed' } as const

export const noHeaders: HeaderSet = { request: new Map(), response: new Map() }

/** What every proxied request carries, whatever the version of nginx does by default. */
export const proxyHeaders: Readonly<Record<ConnectionKind, HeaderSet>> = {
  kept: { ...noHeaders, request: proxyRequest('kept') },
  closed: { ...noHeaders, request: proxyRequest('closed') },
}

function proxyRequest(connection: ConnectionKind): ReadonlyMap<string, RequestHeader> {
  const headers = [
    requestHeader('Host', '$host'),
    requestHeader('X-Real-IP', '$remote_addr'),
    requestHeader('X-Forwarded-For', '$proxy_add_x_forwarded_for'),
    requestHeader('X-Forwarded-Proto', '$scheme'),
    requestHeader('Upgrade', '$http_upgrade'),
    requestHeader('Connection', connectionVariable[connection]),
  ]
  return new Map(headers.map((header) => [header.name.toLowerCase(), header]))
}

export function requestHeader(name: string, value: string): RequestHeader {
  return { name, value, text: `proxy_set_header ${quote(name)} ${template(value)};` }
}

export function responseHeader(name: string, value: string, always: boolean): ResponseHeader {
  const header = { name, value, always, text: `add_header ${quote(name)} ${template(value)}${always ? ' always' : ''};` }
  return mayRepeat(name) ? header : { ...header, hide: `proxy_hide_header ${quote(name)};` }
}

/** Says where an answer comes from, and nothing where no cache was asked. */
export const cacheStatus = responseHeader('X-Cache-Status', '$upstream_cache_status', true)

/** Gives the same headers with the connection treated in this way, unless a user's own Connection header stands there. */
export function withConnection(headers: HeaderSet, connection: ConnectionKind): HeaderSet {
  const current = headers.request.get('connection')
  const wanted = proxyHeaders[connection].request.get('connection')
  if (!wanted || !current?.value.startsWith('$nxmesh_connection_')) return headers
  return { ...headers, request: new Map(headers.request).set('connection', wanted) }
}

/** Writes out the variables that nginx would set from the address in `proxy_pass`. */
export function withProxyHost(headers: HeaderSet, { authority, port }: { authority: string; port: string }): HeaderSet {
  const writeOut = ({ name, value }: RequestHeader) =>
    requestHeader(
      name,
      value.replace(proxyVariable, (_, plain?: string, braced?: string) => ((plain ?? braced) === 'host' ? authority : port)),
    )
  const request = [...headers.request].map(([key, header]) => [key, header.value.includes('proxy_') ? writeOut(header) : header] as const)
  return { ...headers, request: new Map(request) }
}

const proxyVariable = /\$(?:proxy_(host|port)(?![A-Za-z0-9_])|\{proxy_(host|port)\})/g

/** Adds one response header. */
export function withResponse(headers: HeaderSet, header: ResponseHeader): HeaderSet {
  const response = new Map(headers.response)
  put(response, header)
  return { ...headers, response }
}

/** Sets a header, beside others of its name where it may be repeated; an empty one takes them all away. */
function put(response: Map<string, ResponseHeader>, header: ResponseHeader): void {
  const key = header.name.toLowerCase()
  if (header.hide === undefined && header.value === '')
    for (const other of response.keys()) if (other.startsWith(`${key}\n`)) response.delete(other)
  // The empty one is written all the same, or nginx would take those of the level above.
  response.set(header.hide === undefined ? `${key}\n${header.value}` : key, header)
}

/** Adds the `proxy_set_header` and `add_header` statements of a level to what it inherits; nginx itself would drop the inherited ones. */
export function withStatements(inherited: HeaderSet, statements: Iterable<Statement>): HeaderSet {
  let request: Map<string, RequestHeader> | undefined
  let response: Map<string, ResponseHeader> | undefined
  for (const statement of statements) {
    if (!setsHeader(statement)) continue
    const [header, value, last] = statement.args
    if (header === undefined || value === undefined) continue
    const key = header.toLowerCase()
    if (statement.name === 'proxy_set_header') (request ??= new Map(inherited.request)).set(key, requestHeader(header, value))
    else put((response ??= new Map(inherited.response)), responseHeader(header, value, last === 'always'))
  }
  return request || response ? { request: request ?? inherited.request, response: response ?? inherited.response } : inherited
}

/** Tells whether a statement sets a header and so is merged with those of other levels. */
export function setsHeader({ name }: Statement): boolean {
  return name === 'add_header' || name === 'proxy_set_header'
}

/** Adds the custom headers of a location to what it inherits. */
export function withCustomHeaders(inherited: HeaderSet, headers: Location['custom_headers'], proxies: boolean): HeaderSet {
  let request: Map<string, RequestHeader> | undefined
  let response: Map<string, ResponseHeader> | undefined
  for (const header of headers) {
    const direction = headerDirection(header, proxies)
    const key = header.name.toLowerCase()
    if (direction !== 'response') (request ??= new Map(inherited.request)).set(key, requestHeader(header.name, header.value))
    if (direction === 'request') continue
    const entry = responseHeader(header.name, header.value, header.always || protectsClient(header.name))
    put((response ??= new Map(inherited.response)), entry)
  }
  return { request: request ?? inherited.request, response: response ?? inherited.response }
}

/** What a call by gRPC carries: the same as other requests, but for what is about the connection. nginx's grpc module inherits none of them. */
export function writeGrpcRequest(writer: ConfigWriter, headers: HeaderSet['request'], indent: string): void {
  for (const [key, { text }] of new Map([...proxyHeaders.closed.request, ...headers])) {
    if (key !== 'upgrade' && key !== 'connection') writer.line(indent + forGrpc(text))
  }
}

function forGrpc(statement: string): string {
  return statement.replace(/^proxy_/, 'grpc_')
}

/** Tells whether two levels set the same headers. */
export function sameHeaders(a: ReadonlyMap<string, RequestHeader>, b: ReadonlyMap<string, RequestHeader>): boolean {
  if (a === b) return true
  if (a.size !== b.size) return false
  for (const [key, header] of a) if (header.text !== b.get(key)?.text) return false
  return true
}

/** Writes headers in full. Where the location, or one that inherits them, proxies, they replace the upstream's own. */
export function writeResponse(writer: ConfigWriter, headers: HeaderSet['response'], proxies: boolean | 'grpc', indent: string): void {
  for (const { hide, text } of headers.values()) {
    if (proxies !== false && hide !== undefined) writer.line(indent + (proxies === 'grpc' ? forGrpc(hide) : hide))
    writer.line(indent + text)
  }
}

/** Writes the headers of a request to the upstream in full. */
export function writeRequest(writer: ConfigWriter, headers: HeaderSet['request'], indent: string): void {
  for (const { text } of headers.values()) writer.line(indent + text)
}
