import { canonicalAddress, everyAddress, isUnixSocket } from '@nxmesh/model/listen-address'
import { listenAddresses, listenPlaces } from '@nxmesh/model/listen-addresses'
import type { SourceDirective } from './source.ts'

/** One `listen`, as far as a virtual host can have it. */
export interface Listen {
  port: number
  /** One address, or `*` for all of them; a unix socket has the port 0. */
  address: string
  ssl: boolean
  http2: boolean
  quic: boolean
  proxyProtocol: boolean
  isDefault: boolean
  /** Parameters that say how the socket is made: they are left out, and requests are answered all the same. */
  dropped: string[]
  /** What is to be known of the address. */
  note?: string
}

export type ReadListen = { ok: true; listen: Listen } | { ok: false; message: string }

export const socketOptions =
  /^(backlog|rcvbuf|sndbuf|fastopen|setfib|so_keepalive|accept_filter|ipv6only|multipath)(=.*)?$|^(deferred|bind|reuseport|spdy)$/

const plain = { ssl: false, http2: false, quic: false, proxyProtocol: false, isDefault: false, dropped: [] }

/** Reads `listen`. Source: nginx core module, "listen". */
export function readListen(args: readonly string[]): ReadListen {
  const [where = '', ...parameters] = args
  const socket = socketOf(where)
  if (typeof socket === 'string') return { ok: false, message: socket }
  const listen: Listen = { ...socket, ...plain, dropped: [] }
  for (const parameter of parameters) {
    if (parameter === 'ssl') listen.ssl = true
    else if (parameter === 'http2') listen.http2 = true
    else if (parameter === 'quic') listen.quic = true
    else if (parameter === 'proxy_protocol') listen.proxyProtocol = true
    else if (parameter === 'default_server' || parameter === 'default') listen.isDefault = true
    else if (socketOptions.test(parameter)) listen.dropped.push(parameter)
    else return { ok: false, message: `"${parameter}" cannot be had here` }
  }
  return { ok: true, listen }
}

/** Reads where a `listen` is, for a host of a kind that is named, or says why such a host cannot have it. */
export function socketOf(where: string, host = 'virtual host'): Pick<Listen, 'port' | 'address' | 'note'> | string {
  if (isUnixSocket(where) && listenPlaces.safeParse([where]).success) return { port: 0, address: where }
  if (isUnixSocket(where)) return `listens on the unix socket ${where.slice('unix:'.length)}, which a ${host} cannot have`
  const parts = /^(?:(\*|\[[^\]]*\]|[^:[\]]*[^:[\]\d][^:[\]]*|\d+(?:\.\d+){3})(?::(\d{1,5}))?|(\d{1,5}))$/.exec(where)
  const port = Number(parts?.[3] ?? parts?.[2] ?? 80)
  if (!parts || port < 1 || port > 65_535) return `listens on "${where}", which a ${host} cannot have`
  const written = (parts[1] ?? everyAddress).replace(/^\[|\]$/g, '')
  if (written === 'localhost') return { port, address: '127.0.0.1', note: 'localhost is taken to be 127.0.0.1' }
  const address = canonicalAddress(written)
  if ([everyAddress, '0.0.0.0', '::'].includes(address)) return { port, address: everyAddress }
  if (listenAddresses.safeParse([written]).success) return { port, address }
  return `listens on "${written}", which is no address that a ${host} can have`
}

/** Names the socket of a `listen`, which is what names and default servers belong to. */
export function placeOf({ address, port }: Pick<Listen, 'address' | 'port'>): string {
  if (isUnixSocket(address)) return address
  return address === everyAddress ? `${port}` : `${address.includes(':') ? `[${address}]` : address}:${port}`
}

/** What all servers together decide about an address and port: its default server, and whether it speaks TLS and the PROXY protocol, which it then does for all. */
export interface Port {
  tls: boolean
  http2: boolean
  proxyProtocol: boolean
  defaultServer: SourceDirective
  /** Whether the other addresses of the port speak TLS where this one does not, or the other way round. */
  mixed: boolean
}

/** Reads what all servers listen on, given in the order of the files; by place. */
export function portsOf(servers: readonly SourceDirective[]): Map<string, Port> {
  const ports = new Map<string, Port & { chosen: boolean }>()
  for (const server of servers) {
    const on = server.block!.some(({ name, args }) => name === 'ssl' && args[0] === 'on')
    for (const { ssl, http2, quic, proxyProtocol, isDefault, ...socket } of listensOf(server)) {
      const unsaid = { tls: false, http2: false, proxyProtocol: false, defaultServer: server, mixed: false, chosen: false }
      const known = ports.get(placeOf(socket)) ?? unsaid
      known.tls ||= ssl || quic || on
      known.http2 ||= http2
      known.proxyProtocol ||= proxyProtocol
      if (isDefault && !known.chosen) Object.assign(known, { chosen: true, defaultServer: server })
      ports.set(placeOf(socket), known)
    }
  }
  for (const places of Map.groupBy(ports, ([place]) => place.slice(place.lastIndexOf(':') + 1)).values())
    for (const [, place] of places) place.mixed = places.some(([, { tls }]) => tls !== place.tls)
  return ports
}

/** The usable `listen` of a server; port 80 where it has none at all. */
export function listensOf(server: SourceDirective): Listen[] {
  const written = server.block!.filter(({ name }) => name === 'listen')
  if (written.length === 0) return [{ port: 80, address: everyAddress, ...plain }]
  return written.flatMap(({ args }) => {
    const read = readListen(args)
    return read.ok ? [read.listen] : []
  })
}
