import type { ExplainedHeader } from '@nxmesh/model/explanation'
import { inherited, isOn, setting } from './level.ts'
import { type PlaceOf, text } from './places.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import type { Visit } from './visit.ts'

// nginx keeps these of a client's headers to itself. Source: nginx, ngx_http_proxy_headers and ngx_http_grpc_headers.
const kept = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'keep-alive', 'expect', 'upgrade'])

/** The headers that an upstream gets of `proxy_pass`: those set here or inherited, nginx's own where they are not set, and the client's others. */
export function requestHeaders(visit: Visit, proxyHost: string, placeOf: PlaceOf): ExplainedHeader[] {
  const { names, headers } = headersSet(visit, 'proxy_set_header', placeOf, (value, node) => expandForProxy(visit, value, proxyHost, node))
  const own = (name: string, value: string | null) => (names.has(name.toLowerCase()) ? [] : [ofNginx(name, value)])
  // "close" up to nginx 1.29.6; from then on it may be left out, with HTTP/1.0, too.
  headers.push(...own('Host', text(proxyHost)), ...own('Connection', null))
  const length = proxiedLength(visit, proxyHost)
  if (length !== undefined) headers.push(...own('Content-Length', length))
  return isOn(visit.level, 'proxy_pass_request_headers', true) ? [...headers, ...othersOfClient(visit, names)] : headers
}

/** The headers that an upstream gets of `grpc_pass`. Source: nginx, ngx_http_grpc_create_request. */
export function grpcHeaders(visit: Visit, authority: string, placeOf: PlaceOf): ExplainedHeader[] {
  const { names, headers } = headersSet(visit, 'grpc_set_header', placeOf, (value, node) => expand(visit, value, node))
  // Where Host is set, even to nothing, nginx names no authority.
  if (!names.has('host')) headers.unshift(ofNginx(':authority', text(authority)))
  const length = visit.incoming.headers.get('content-length')
  if (length && !names.has('content-length')) headers.push(ofNginx('Content-Length', visit.bodyDropped ? null : length[0]!))
  if (!names.has('te') && /\btrailers\b/i.test(visit.incoming.headers.get('te')?.join() ?? '')) headers.push(ofNginx('TE', 'trailers'))
  return [...headers, ...othersOfClient(visit, names)]
}

function headersSet(visit: Visit, directive: string, placeOf: PlaceOf, valueOf: (value: string, node: Node) => string) {
  const set = inherited(visit.level, directive)
  const headers = set.flatMap((node): ExplainedHeader[] => {
    const value = valueOrNull(() => valueOf(node.args[1] ?? '', node))
    return value === '' ? [] : [{ name: text(node.args[0]!), value, from: 'directive', only_if_status: false, place: placeOf(node) }]
  })
  return { names: new Set(set.map((node) => node.args[0]!.toLowerCase())), headers }
}

/** A header or parameter that nginx sends by itself. */
export function ofNginx(name: string, value: string | null): ExplainedHeader {
  return { name, value, from: 'nginx', only_if_status: false, place: null }
}

/** A header or parameter as the client sent it. */
export function ofClient(name: string, value: string): ExplainedHeader {
  return { name: text(name), value: text(value), from: 'client', only_if_status: false, place: null }
}

function othersOfClient({ incoming }: Visit, names: ReadonlySet<string>): ExplainedHeader[] {
  const others = [...incoming.headers].filter(([name]) => !names.has(name) && !kept.has(name))
  return others.flatMap(([name, values]) => values.map((value) => ofClient(name, value)))
}

// That of the body which is written for the upstream, else the client's, also where its body is not passed on. Once nginx has dropped the
// body its length is another. Source: nginx, ngx_http_proxy_create_request.
function proxiedLength(visit: Visit, proxyHost: string): string | null | undefined {
  const written = setting(visit.level, 'proxy_set_body')
  if (written) {
    const body = valueOrNull(() => expandForProxy(visit, written.args[0] ?? '', proxyHost, written))
    return body === null ? null : String(Buffer.byteLength(body))
  }
  const length = visit.incoming.headers.get('content-length')
  return length && visit.bodyDropped ? null : length?.[0]
}

function expandForProxy(visit: Visit, value: string, proxyHost: string, node: Parameters<typeof expand>[2]): string {
  const [name, port] = /:\d+$/.test(proxyHost) ? [proxyHost, proxyHost.replace(/^.*:/, '')] : [proxyHost, undefined]
  visit.variables.set('proxy_host', name)
  if (port !== undefined) visit.variables.set('proxy_port', port)
  return expand(visit, value, node)
}

/** The value of a header, or null where only a running nginx knows it. */
export function valueOrNull(value: () => string): string | null {
  try {
    return text(value())
  } catch (problem) {
    if (problem instanceof Unsure) return null
    throw problem
  }
}
