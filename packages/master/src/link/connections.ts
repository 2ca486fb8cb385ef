import type { TLSSocket } from 'node:tls'

/** One TLS connection of a peer. */
export interface Connection {
  /** The peer's certificate, DER, if it showed one. Nobody has verified it yet; that it holds the key is proved. */
  certificate(): Buffer | undefined
  address: string
  /** Notes that the peer showed who it is: the connection may stay. */
  trust(): void
  open(): void
  close(): void
  destroy(): void
}

/** The open connections, found by the address that a call came from. Those without a session do not stay for long. */
export function openConnections(strangerTimeout: number) {
  const sockets = new Map<string, { socket: TLSSocket; connection: Connection }>()
  return {
    add(socket: TLSSocket): void {
      const key = keyOf(socket.remoteAddress, socket.remotePort)
      let sessions = 0
      let timer = strangerTimer()
      function strangerTimer() {
        return setTimeout(() => socket.destroy(), strangerTimeout)
      }
      const connection: Connection = {
        certificate: () => socket.getPeerX509Certificate()?.raw,
        address: socket.remoteAddress ?? '',
        trust: () => clearTimeout(timer),
        open() {
          sessions++
          clearTimeout(timer)
        },
        close() {
          sessions--
          clearTimeout(timer)
          if (sessions === 0 && !socket.destroyed) timer = strangerTimer()
        },
        destroy: () => socket.destroy(),
      }
      sockets.set(key, { socket, connection })
      socket.once('close', () => {
        clearTimeout(timer)
        if (sockets.get(key)?.socket === socket) sockets.delete(key)
      })
      // The close that follows an error is what matters.
      socket.on('error', () => undefined)
    },
    of: (peer: string): Connection | undefined => sockets.get(peer)?.connection,
    size: () => sockets.size,
    destroyAll() {
      for (const { socket } of sockets.values()) socket.destroy()
    },
  }
}

export type Connections = ReturnType<typeof openConnections>

// As grpc-js writes the peer of a call.
function keyOf(address: string | undefined, port: number | undefined): string {
  return `${address}:${port}`
}
