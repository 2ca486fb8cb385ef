import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'

export interface Backend extends AsyncDisposable {
  port: number
  address: string
  /** How many connections were opened so far. */
  connections: () => number
}

/** An upstream that answers with the request it got, a line each; an upgrade is accepted and echoes. */
export async function startBackend(headers: Record<string, string> = {}): Promise<Backend> {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((request, response) => {
    response.writeHead(200, headers)
    response.end(describe(request))
  })
  server.on('connection', (socket: Socket) => {
    connections++
    sockets.add(socket)
  })
  server.on('upgrade', (_request, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n')
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    address: `http://127.0.0.1:${port}`,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function describe(request: IncomingMessage): string {
  const lines = Object.entries(request.headers).map(([name, value]) => `${name}: ${String(value)}`)
  return [`version ${request.httpVersion}`, `url ${request.url}`, ...lines, ''].join('\n')
}
