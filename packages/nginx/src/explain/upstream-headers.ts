import type { ExplainedHeader } from '@nxmesh/model/explanation'
import { inherited, isOn, setting } from './level.ts'
import { type PlaceOf, text } from './places.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import type { Visit } from './visit.ts'

// nginx keeps these of a client's headers to itself. Source: nginx, ngx_http_proxy_headers.
const kept = new Set(['host', 'connection', 'content-length', 'transfer-encoding', 'te', 'keep-alive', 'expect', 'upgrade'])

/** The headers that an upstream gets: those set here or inherited, nginx's own where they are not set, and the client's others. */
export function requestHeaders(visit: Visit, proxyHost: string, placeOf: PlaceOf): ExplainedHeader[] {
  const set = inherited(visit.level, 'proxy_set_header')
  const names = new Set(set.map((node) => node.args[0]!.toLowerCase()))
  const headers = set.flatMap((node): ExplainedHeader[] => {
    const value = valueOrNull(() => expandForProxy(visit, node.args[1] ?? '', proxyHost, node))
    return value === '' ? [] : [{ name: text(node.args[0]!), value, from: 'directive', only_if_status: false, place: placeOf(node) }]
  })
  const own = (name: string, value: string | null): ExplainedHeader[] =>
    names.has(name.toLowerCase()) ? [] : [{ name, value, from: 'nginx', only_if_status: false, place: null }]
  const version = setting(visit.level, 'proxy_http_version')?.args[0]
  headers.push(...own('Host', text(proxyHost)), ...own('Connection', version === '1.0' ? 'close' : null))
  const length = visit.incoming.headers.get('content-length')
  if (length && isOn(visit.level, 'proxy_pass_request_body', true))
    headers.push(...own('Content-Length', isBodyKept(visit) ? length[0]! : null))
  if (!isOn(visit.level, 'proxy_pass_request_headers', true)) return headers
  for (const [name, values] of visit.incoming.headers) {
    if (names.has(name) || kept.has(name)) continue
    for (const value of values) headers.push({ name: text(name), value: text(value), from: 'client', only_if_status: false, place: null })
  }
  return headers
}

// Once nginx has dropped the body, or is told another, its length is not the client's.
function isBodyKept(visit: Visit): boolean {
  return !visit.bodyDropped && !setting(visit.level, 'proxy_set_body')
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
