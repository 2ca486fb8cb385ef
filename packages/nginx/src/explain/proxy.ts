import type { ExplainedHeader, ExplainedServer, ExplainOutcome } from '@nxmesh/model/explanation'
import { escapePath } from './escape.ts'
import { locationOf, setting } from './level.ts'
import { type PlaceOf, text } from './places.ts'
import type { Node } from './read-config.ts'
import { requestParams } from './request-params.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { grpcHeaders, requestHeaders } from './upstream-headers.ts'
import type { Visit } from './visit.ts'

/** Where a request is handed on to, with what. Source: nginx, ngx_http_proxy_create_request. */
export function proxyOutcome(visit: Visit, node: Node, placeOf: PlaceOf): ExplainOutcome {
  const written = node.args[0] ?? ''
  const address = expand(visit, written, node)
  const known = node.name === 'proxy_pass' || node.name === 'grpc_pass'
  const parts = /^([a-z]+:\/\/)?(unix:[^:]+:?|[^/?]*)([^]*)$/i.exec(address)!
  const [, scheme = '', authority = '', rest = ''] = parts
  if (node.name === 'proxy_pass' && !/^https?:\/\/$/i.test(scheme))
    throw new Unsure(`"${address}" does not begin with http:// or https://`, node)
  const host = authority.replace(/^unix:.*$/, 'localhost')
  const uri = known ? uriFor(visit, { node, rest, variable: written.includes('$') }) : visit.uri
  const upstream = visit.config.upstreams.get(authority.toLowerCase())
  return {
    kind: 'proxy',
    directive: node.name,
    method: text((node.name === 'proxy_pass' && setting(visit.level, 'proxy_method')?.args[0]) || visit.method),
    url: text(`${scheme}${authority}${known ? uri : ''}`),
    uri: text(uri),
    upstream: upstream ? text(authority) : null,
    balancing: upstream ? balancingOf(upstream) : null,
    servers: upstream
      ? serversOf(upstream, placeOf)
      : [{ address: text(withPort(scheme, authority)), weight: 1, backup: false, down: false, place: placeOf(node) }],
    http_version: node.name === 'grpc_pass' ? '2' : (setting(visit.level, 'proxy_http_version')?.args[0] ?? null),
    headers: headersOf(visit, { directive: node.name, scheme, host }, placeOf),
    status_kept: visit.errorStatus === 0 ? null : visit.errorStatus,
    place: placeOf(node),
  }
}

function headersOf(visit: Visit, to: { directive: string; scheme: string; host: string }, placeOf: PlaceOf): ExplainedHeader[] {
  switch (to.directive) {
    case 'proxy_pass':
      return requestHeaders(visit, proxyHost(to.scheme, to.host), placeOf)
    case 'grpc_pass':
      return grpcHeaders(visit, to.host, placeOf)
    case 'fastcgi_pass':
      return requestParams(visit, 'fastcgi', placeOf)
    case 'uwsgi_pass':
      return requestParams(visit, 'uwsgi', placeOf)
    case 'scgi_pass':
      return requestParams(visit, 'scgi', placeOf)
    default:
      return []
  }
}

interface Passing {
  node: Node
  /** What `proxy_pass` has after the address. */
  rest: string
  variable: boolean
}

function uriFor(visit: Visit, { node, rest, variable }: Passing): string {
  if (variable && rest !== '') return rest.startsWith('?') ? `/${rest}` : rest
  if (rest === '' && visit.unparsedHolds) return visit.unparsed
  const location = locationOf(visit.level)
  const named = location?.node?.args.at(-1)?.replace(/^(=|\^~)/, '') ?? ''
  const replaced = rest !== '' && visit.locationHolds ? Math.min(named.length, visit.uri.length) : 0
  const kept = visit.uri.slice(replaced)
  const escaped = visit.quoted === 'no' && !visit.internal ? kept : escapePath(kept)
  if (escaped !== kept && visit.quoted === 'maybe' && !visit.internal) throw new Unsure('whether nginx escapes the path again', node)
  const path = (visit.locationHolds ? rest : '') + escaped
  const uri = `${path}${visit.args === '' ? '' : `?${visit.args}`}`
  return uri
}

function proxyHost(scheme: string, authority: string): string {
  const standard = scheme.toLowerCase() === 'https://' ? ':443' : ':80'
  return authority.endsWith(standard) ? authority.slice(0, -standard.length) : authority
}

function withPort(scheme: string, authority: string): string {
  if (authority.startsWith('unix:') || /:\d+$/.test(authority)) return authority
  return `${authority}:${scheme.toLowerCase().startsWith('https') || scheme.toLowerCase().startsWith('grpcs') ? 443 : 80}`
}

const methods = ['least_conn', 'ip_hash', 'hash', 'random', 'least_time', 'sticky']

function balancingOf(upstream: Node): string {
  const found = upstream.children?.find(({ name }) => methods.includes(name))
  return found ? text([found.name, ...found.args].join(' ')) : 'round_robin'
}

function serversOf(upstream: Node, placeOf: PlaceOf): ExplainedServer[] {
  return (upstream.children ?? []).flatMap((node) => {
    if (node.name !== 'server') return []
    const [address = '', ...options] = node.args
    const weight = options.find((option) => option.startsWith('weight='))
    return [
      {
        address: text(address),
        weight: Number(weight?.slice(7) ?? 1),
        backup: options.includes('backup'),
        down: options.includes('down'),
        place: placeOf(node),
      },
    ]
  })
}
