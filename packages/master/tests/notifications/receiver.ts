import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

export interface Heard {
  headers: IncomingHttpHeaders
  body: string
  path: string
  method: string
}

export interface Receiver extends AsyncDisposable {
  url: string
  port: number
  heard: Heard[]
}

/** Receives webhooks, over TLS where it has a certificate; `answer` says what comes back, 200 when left out. */
export async function startReceiver(
  answer: (response: ServerResponse, count: number, heard: Heard) => void = (response) => response.end('ok'),
  tls?: SecureContextOptions,
): Promise<Receiver> {
  const heard: Heard[] = []
  async function listen(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    heard.push({
      headers: request.headers,
      body: Buffer.concat(chunks).toString('utf8'),
      path: request.url ?? '',
      method: request.method ?? '',
    })
    answer(response, heard.length, heard.at(-1)!)
  }
  const listener = (request: IncomingMessage, response: ServerResponse) => void listen(request, response)
  const server = tls ? createSecureServer(tls, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    port,
    heard,
    url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}/hook`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
