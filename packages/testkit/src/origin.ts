import { createServer, type IncomingMessage } from 'node:http'

export interface Origin extends AsyncDisposable {
  port: number
  address: string
  /** Every request it got, newest last. */
  requests: { method: string; url: string; headers: IncomingMessage['headers'] }[]
}

/** A small HTTP server that answers every request with its name, to stand behind nginx. */
export async function startOrigin(name: string, at = 0): Promise<Origin> {
  const requests: Origin['requests'] = []
  const server = createServer((request, response) => {
    requests.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    if (requests.length > 10_000) requests.shift()
    response.end(name)
  })
  await new Promise<void>((resolve) => server.listen(at, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  return {
    port,
    address: `127.0.0.1:${port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
