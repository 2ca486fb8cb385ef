import type { Location } from '@nxmesh/model/location'
import { speaksGrpc } from '@nxmesh/model/upstream-protocol'
import { nameInPass } from '../resolved-names.ts'
import type { ConnectionKind } from './headers.ts'
import { type NamedProxy, namedProxyOf } from './named-proxies.ts'
import type { Rendering } from './rendering.ts'
import { unknownName } from './upstream.ts'

/** What a location answers with. */
export type Content =
  | { kind: 'upstream'; block: string }
  | { kind: 'proxy'; address: string; named?: NamedProxy }
  /** `name`: what the servers are asked for by TLS, where that is not in the address. */
  | { kind: 'grpc'; address: string; name?: string; named?: NamedProxy }
  | { kind: 'unusable'; field: string; message: string }
  | { kind: 'other' }

/** Decides what a location answers with. `exactPath` tells that nginx can replace the matched part of the URI: a prefix or exact location. */
export function contentOf(rendering: Rendering, location: Location, exactPath: boolean): Content {
  if (speaksGrpc(location) && !rendering.target.facts.supports.http2)
    return {
      kind: 'unusable',
      field: location.grpc_pass === undefined ? 'upstream_protocol' : 'grpc_pass',
      message: 'nginx here is built without HTTP/2, and so without gRPC',
    }
  if (location.grpc_pass !== undefined) return passed(rendering, 'grpc', location.grpc_pass)
  if (location.upstream_id !== undefined) {
    const block = rendering.upstreams.get(location.upstream_id)
    if (!block)
      return { kind: 'unusable', field: 'upstream_id', message: `the upstream ${location.upstream_id} is not part of this configuration` }
    if (location.upstream_protocol === 'grpc') return { kind: 'grpc', address: `grpc://${block.name}` }
    if (location.upstream_protocol === 'grpcs') return { kind: 'grpc', address: `grpcs://${block.name}`, name: '$host' }
    return { kind: 'upstream', block: block.name }
  }
  if (location.proxy_pass === undefined) return { kind: 'other' }
  if (!exactPath && hasUri(location.proxy_pass) && !location.proxy_pass.includes('$')) {
    return { kind: 'unusable', field: 'proxy_pass', message: uriMessage }
  }
  return passed(rendering, 'proxy', location.proxy_pass)
}

function passed({ target }: Rendering, kind: 'proxy' | 'grpc', address: string): Content {
  const name = nameInPass(address)
  if (name !== undefined && target.names?.[name]?.length === 0)
    return { kind: 'unusable', field: `${kind}_pass`, message: unknownName(name) }
  const named = namedProxyOf(address, target.names)
  return { kind, address, ...(named && { named }) }
}

/** Why nginx refuses `proxy_pass` with a path in a regular expression or named location. Source: nginx proxy module, "proxy_pass". */
export const uriMessage =
  'cannot have a path in a location matched by a regular expression or by name: leave the path out and use a rewrite rule'

/** Tells whether an address of `proxy_pass` has a URI part, even only "/". */
export function hasUri(address: string): boolean {
  const rest = address.replace(/^https?:\/\//, '')
  if (rest.startsWith('unix:')) return rest.slice(5).includes(':')
  return /[/?]/.test(rest)
}

/** How a location asks for its upstream connection, or undefined when it does not proxy by HTTP. */
export function connectionOf(rendering: Rendering, location: Location): ConnectionKind | undefined {
  if (speaksGrpc(location)) return undefined
  if (location.upstream_id !== undefined) return rendering.upstreams.get(location.upstream_id)?.connection
  return location.proxy_pass === undefined ? undefined : 'closed'
}
