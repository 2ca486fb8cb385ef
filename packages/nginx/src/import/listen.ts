import type { SourceDirective } from './source.ts'

/** One `listen`, as far as a virtual host can have it. */
export interface Listen {
  port: number
  ssl: boolean
  http2: boolean
  quic: boolean
  isDefault: boolean
  /** Parameters that say how the socket is made: they are left out, and requests are answered all the same. */
  dropped: string[]
}

export type ReadListen = { ok: true; listen: Listen } | { ok: false; message: string }

export const socketOptions =
  /^(backlog|rcvbuf|sndbuf|fastopen|setfib|so_keepalive|accept_filter|ipv6only|multipath)(=.*)?$|^(deferred|bind|reuseport|spdy)$/

/** Reads `listen`. What listens on one address only is refused, as NxMesh would open it to all. Source: nginx core module, "listen". */
export function readListen(args: readonly string[]): ReadListen {
  const [address = '', ...parameters] = args
  const port = portOf(address)
  if (port === undefined) return { ok: false, message: `listens on "${address}" alone: NxMesh serves on all addresses of a port` }
  const listen: Listen = { port, ssl: false, http2: false, quic: false, isDefault: false, dropped: [] }
  for (const parameter of parameters) {
    if (parameter === 'ssl') listen.ssl = true
    else if (parameter === 'http2') listen.http2 = true
    else if (parameter === 'quic') listen.quic = true
    else if (parameter === 'default_server' || parameter === 'default') listen.isDefault = true
    else if (socketOptions.test(parameter)) listen.dropped.push(parameter)
    else return { ok: false, message: `"${parameter}" cannot be had here` }
  }
  return { ok: true, listen }
}

/** The port of an address that stands for all addresses; undefined for others. */
export function portOf(address: string): number | undefined {
  const parts = /^(?:(\*|\[::\]|0\.0\.0\.0)(?::(\d{1,5}))?|(\d{1,5}))$/.exec(address)
  if (!parts) return undefined
  const port = Number(parts[3] ?? parts[2] ?? 80)
  return port >= 1 && port <= 65_535 ? port : undefined
}

/** What all servers together decide about a port: its default server, and whether it speaks TLS, which it then does for all. */
export interface Port {
  tls: boolean
  http2: boolean
  defaultServer: SourceDirective
}

/** Reads the ports of all servers, given in the order of the files. */
export function portsOf(servers: readonly SourceDirective[]): Map<number, Port> {
  const ports = new Map<number, Port & { chosen: boolean }>()
  for (const server of servers) {
    const on = server.block!.some(({ name, args }) => name === 'ssl' && args[0] === 'on')
    for (const { port, ssl, http2, quic, isDefault } of listensOf(server)) {
      const known = ports.get(port) ?? { tls: false, http2: false, defaultServer: server, chosen: false }
      known.tls ||= ssl || quic || on
      known.http2 ||= http2
      if (isDefault && !known.chosen) Object.assign(known, { chosen: true, defaultServer: server })
      ports.set(port, known)
    }
  }
  return ports
}

/** The usable `listen` of a server; port 80 where it has none at all. */
export function listensOf(server: SourceDirective): Listen[] {
  const written = server.block!.filter(({ name }) => name === 'listen')
  if (written.length === 0) return [{ port: 80, ssl: false, http2: false, quic: false, isDefault: false, dropped: [] }]
  return written.flatMap(({ args }) => {
    const read = readListen(args)
    return read.ok ? [read.listen] : []
  })
}
