import { createServer, request } from 'node:https'
import { selfSignedServer } from './certificates.ts'

/** What stands between a client and an HTTPS server, and may hold up what passes. */
export interface Front extends AsyncDisposable {
  port: number
  /** Of its own address. */
  caPem: string
}

/** Called with the path of each request: before it goes on to the server, and before its answer goes back. */
export type Watch = (path: string, moment: 'before' | 'after') => Promise<void>

/** Passes requests on to an HTTPS server on this machine, with the name that the client called it by. */
export async function startFront(server: { port: number; caPem: string }, watch: Watch): Promise<Front> {
  const own = await selfSignedServer(['127.0.0.1', 'localhost'])
  const front = createServer({ key: own.keyPem, cert: own.certPem }, (asked, answered) => {
    const { url = '/', method, headers } = asked
    const pass = async () => {
      const chunks: Buffer[] = []
      for await (const chunk of asked as AsyncIterable<Buffer>) chunks.push(chunk)
      await watch(url, 'before')
      const options = { host: '127.0.0.1', port: server.port, path: url, method, headers, ca: server.caPem }
      const call = request(options, (answer) => {
        void watch(url, 'after').then(() => {
          answered.writeHead(answer.statusCode!, answer.headers)
          answer.pipe(answered)
        })
      })
      call.on('error', () => answered.destroy())
      call.end(Buffer.concat(chunks))
    }
    pass().catch(() => answered.destroy())
  })
  await new Promise<void>((listening) => front.listen(0, '127.0.0.1', listening))
  const { port } = front.address() as { port: number }
  return {
    port,
    caPem: own.certPem,
    async [Symbol.asyncDispose]() {
      front.closeAllConnections()
      await new Promise((closed) => front.close(closed))
    },
  }
}
