import type { Location } from '@nxmesh/model/location'
import { headerDirection, mayRepeat, protectsClient } from '../header-direction.ts'
import { quote, template } from '../quote.ts'
import type { Statement } from './custom-directives.ts'

export interface RequestHeader {
  name: string
  value: string
}

export interface ResponseHeader extends RequestHeader {
  always: boolean
}

/** Headers by lower-case name: what a level sets, everything it inherits included. */
export interface HeaderSet {
  request: ReadonlyMap<string, RequestHeader>
  response: ReadonlyMap<string, ResponseHeader>
}

export const noHeaders: HeaderSet = { request: new Map(), response: new Map() }

/** How a location asks the upstream to treat the connection: keep it for the next request, or close it. An upgrade is passed on by both. */
export type ConnectionKind = 'kept' | 'closed'

export const connectionVariable = { kept: '$nxmesh_connection_kept', closed: '$nxmesh_connection_closed' } as const

/** What every proxied request carries, whatever the version of nginx does by default. */
export function proxyHeaders(connection: ConnectionKind): RequestHeader[] {
  return [
    { name: 'Host', value: '$host' },
    { name: 'X-Real-IP', value: '$remote_addr' },
    { name: 'X-Forwarded-For', value: '$proxy_add_x_forwarded_for' },
    { name: 'X-Forwarded-Proto', value: '$scheme' },
    { name: 'Upgrade', value: '$http_upgrade' },
    { name: 'Connection', value: connectionVariable[connection] },
  ]
}

/** Adds the `proxy_set_header` and `add_header` statements of a level to what it inherits; nginx itself would drop the inherited ones. */
export function withStatements(inherited: HeaderSet, statements: readonly Statement[]): HeaderSet {
  const request = new Map(inherited.request)
  const response = new Map(inherited.response)
  for (const { name, args } of statements) {
    const [header, value, last] = args
    if (header === undefined || value === undefined) continue
    if (name === 'proxy_set_header') request.set(header.toLowerCase(), { name: header, value })
    else response.set(header.toLowerCase(), { name: header, value, always: last === 'always' })
  }
  return { request, response }
}

/** Adds the custom headers of a location to what it inherits. */
export function withCustomHeaders(inherited: HeaderSet, headers: Location['custom_headers'], proxies: boolean): HeaderSet {
  const request = new Map(inherited.request)
  const response = new Map(inherited.response)
  for (const header of headers) {
    const direction = headerDirection(header, proxies)
    const key = header.name.toLowerCase()
    if (direction !== 'response') request.set(key, { name: header.name, value: header.value })
    if (direction === 'request') continue
    const entry = { name: header.name, value: header.value, always: header.always || protectsClient(header.name) }
    response.set(mayRepeat(key) ? `${key}\n${header.value}` : key, entry)
  }
  return { request, response }
}

/** The statement for one request header; an empty value removes it. */
export function requestLine({ name, value }: RequestHeader): string {
  return `proxy_set_header ${quote(name)} ${template(value)};`
}

/** The statements for one response header: when the location proxies, the upstream's own header of that name gives way. An empty value removes it. */
export function responseLines({ name, value, always }: ResponseHeader, proxies: boolean): string[] {
  const add = `add_header ${quote(name)} ${template(value)}${always ? ' always' : ''};`
  return proxies && !mayRepeat(name) ? [`proxy_hide_header ${quote(name)};`, add] : [add]
}

/** Tells whether two levels set the same headers. */
export function sameHeaders<T extends RequestHeader>(a: ReadonlyMap<string, T>, b: ReadonlyMap<string, T>): boolean {
  if (a.size !== b.size) return false
  for (const [key, header] of a) {
    const other = b.get(key)
    if (header !== other && (header.value !== other?.value || always(header) !== always(other))) return false
  }
  return true
}

function always(header: RequestHeader): boolean {
  return 'always' in header && header.always === true
}
