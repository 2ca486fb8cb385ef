import { type Agent, request } from 'node:http'
import type { Received } from './check.ts'
import type { Sent } from './requests.ts'

/** Sends a request as it is, byte for byte, and reads the whole answer. */
export function send(base: string, agent: Agent, { method, path, headers, body }: Sent): Promise<Received> {
  const { hostname, port } = new URL(base)
  return new Promise((resolve, reject) => {
    const length = body === undefined ? {} : { 'content-length': String(body.length) }
    const asked = request({ hostname, port, method, path, agent, headers: { ...headers, ...length }, timeout: 20_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', reject)
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      )
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer within 20 s to ${method} ${path}`)))
    asked.on('error', reject)
    asked.end(body)
  })
}
