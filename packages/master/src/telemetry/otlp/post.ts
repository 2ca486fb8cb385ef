import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Answer } from './answer.ts'
import type { ExportSetting } from './setting.ts'

export type Post = (body: Uint8Array<ArrayBuffer>, signal: AbortSignal) => Promise<Answer>

const patience = 10_000
const longestBody = 64 * 1024
const compress = promisify(gzip)

/** Posts to one address, over one connection that is kept open. */
export function openPost(address: string, { headers, compression, ca }: Omit<ExportSetting, 'endpoints'>): Post {
  const url = new URL(address)
  const isSecure = url.protocol === 'https:'
  const keep = { keepAlive: true, maxSockets: 1 }
  const agent = isSecure ? new HttpsAgent({ ...keep, ...(ca !== undefined && { ca }) }) : new HttpAgent(keep)
  const request = isSecure ? httpsRequest : httpRequest
  const encoding = compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}
  return async (body, signal) => {
    const content = compression === 'gzip' ? await compress(body, { level: 1 }) : body
    const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)])
    try {
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const sent = request(url, {
          method: 'POST',
          agent,
          signal: limit,
          headers: {
            'user-agent': 'nxmesh-master',
            ...headers,
            'content-type': 'application/x-protobuf',
            'content-length': content.length,
            ...encoding,
          },
        })
        sent.once('response', resolve).once('error', reject).end(content)
      })
      const { statusCode: status = 0, headers: answered } = response
      const retryAfter = answered['retry-after']
      return { kind: 'answered', status, retryAfter, contentType: answered['content-type'] ?? '', body: await read(response) }
    } catch (error) {
      const { name, code, message } = error as { name: string; code?: string; message: string }
      const isLate = name === 'AbortError' && !signal.aborted
      return { kind: 'unanswered', reason: isLate ? `no answer within ${patience / 1000} s` : message || (code ?? name) }
    }
  }
}

async function read(response: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of response as AsyncIterable<Buffer>) {
    parts.push(part)
    length += part.length
    // Nothing that long is meant for us.
    if (length > longestBody) break
  }
  return Buffer.concat(parts)
}
