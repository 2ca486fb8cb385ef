import { everyAddress } from '@nxmesh/model/listen-address'
import { placeOf, socketOf, socketOptions } from './listen.ts'
import type { SourceDirective } from './source.ts'

/** One `listen` of a stream block, as far as a stream host can have it. */
export interface StreamListen {
  protocol: 'tcp' | 'udp'
  port: number
  /** One address, or `*` for all of them; a unix socket has the port 0. */
  address: string
  ssl: boolean
  proxyProtocol: boolean
  /** Parameters that say how the socket is made: they are left out, and clients are served all the same. */
  dropped: string[]
  /** What is to be known of the address. */
  note?: string
}

/** Reads `listen` of a stream block, or says why a stream host cannot have it. Source: nginx stream core module, "listen". */
export function readStreamListen([where = '', ...parameters]: readonly string[]): StreamListen | string {
  // Here nginx has no port that it would take for one that is not said.
  const socket = /^unix:|:\d+$|^\d+$/.test(where)
    ? socketOf(where, 'stream host')
    : `listens on "${where}", which a stream host cannot have`
  if (typeof socket === 'string') return socket
  const listen: StreamListen = { ...socket, protocol: 'tcp', ssl: false, proxyProtocol: false, dropped: [] }
  for (const parameter of parameters) {
    if (parameter === 'udp') listen.protocol = 'udp'
    else if (parameter === 'ssl') listen.ssl = true
    else if (parameter === 'proxy_protocol') listen.proxyProtocol = true
    else if (socketOptions.test(parameter)) listen.dropped.push(parameter)
    else return `"${parameter}" cannot be had here`
  }
  if (listen.port === 0 && listen.protocol === 'udp') return 'a unix socket cannot be had for datagrams'
  return listen
}

/** Names the socket of a `listen`. */
export function streamPlaceOf(listen: Pick<StreamListen, 'protocol' | 'port' | 'address'>): string {
  return `${listen.protocol} ${placeOf(listen)}`
}

/** Where one stream host of a server listens. */
export interface StreamPlace extends Pick<StreamListen, 'protocol' | 'port' | 'ssl' | 'proxyProtocol'> {
  /** Absent: all of them. */
  addresses?: string[]
  directives: SourceDirective[]
}

/** Where a server listens: what is alike on several addresses of a port becomes one stream host. */
export function streamPlacesOf(server: SourceDirective): StreamPlace[] | { directive: SourceDirective; message: string } {
  const sockets = new Map<string, StreamListen & { directives: SourceDirective[] }>()
  for (const directive of server.block!) {
    if (directive.name !== 'listen') continue
    const read = readStreamListen(directive.args)
    if (typeof read === 'string') return { directive, message: read }
    const known = sockets.get(streamPlaceOf(read))
    sockets.set(streamPlaceOf(read), {
      ...read,
      ssl: read.ssl || known?.ssl === true,
      proxyProtocol: read.proxyProtocol || known?.proxyProtocol === true,
      directives: [...(known?.directives ?? []), directive],
    })
  }
  const places = new Map<string, StreamPlace>()
  for (const { protocol, port, address, ssl, proxyProtocol, directives } of sockets.values()) {
    const single = address !== everyAddress
    const key = JSON.stringify([protocol, port, single, ssl, proxyProtocol])
    const known = places.get(key)
    if (known) {
      known.addresses?.push(address)
      known.directives.push(...directives)
    } else places.set(key, { protocol, port, ssl, proxyProtocol, directives, ...(single && { addresses: [address] }) })
  }
  return [...places.values()]
}
