import type { LookupAddress } from 'node:dns'
import { type IncomingMessage, request as plain } from 'node:http'
import { request as encrypted } from 'node:https'
import type { BlockList, LookupFunction } from 'node:net'
import { literalOf, mayReach } from './public-address.ts'

/** How names are looked up: all addresses of one. */
export type Resolve = (hostname: string, found: (error: NodeJS.ErrnoException | null, addresses?: LookupAddress[]) => void) => void

interface Posting {
  url: string
  headers: Record<string, string>
  body: string
  signal: AbortSignal
  allowed: BlockList
  resolve: Resolve
}

interface Answer {
  status: number
  retryAfter: string | undefined
  /** How it begins. */
  text: string
}

/** An address that may not be reached. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

const mostRead = 1000

/** Sends a POST and follows no redirect. Throws where no answer comes. */
export async function post({ url, headers, body, signal, allowed, resolve }: Posting): Promise<Answer> {
  const target = new URL(url)
  const literal = literalOf(target)
  // Nobody looks up what is an address already.
  if (literal !== undefined && !mayReach(literal, allowed)) throw refused(target.hostname)
  const request = target.protocol === 'https:' ? encrypted : plain
  const response = await new Promise<IncomingMessage>((answered, failed) => {
    const length = String(Buffer.byteLength(body))
    const options = {
      method: 'POST',
      headers: { ...headers, 'content-length': length },
      agent: false,
      signal,
      lookup: guarded(allowed, resolve),
    }
    const call = request(target, options, answered)
    call.on('error', failed)
    call.end(body)
  })
  const { statusCode: status = 0, headers: answer } = response
  return { status, retryAfter: answer['retry-after'], text: await beginning(response) }
}

// The look-up that connects is the one that is checked, so a name cannot lead elsewhere a moment later.
function guarded(allowed: BlockList, resolve: Resolve): LookupFunction {
  return (hostname, { all }, callback) => {
    resolve(hostname, (error, addresses = []) => {
      const open = addresses.filter(({ address }) => mayReach(address, allowed))
      if (error || open[0] === undefined) callback(error ?? refused(hostname), '')
      else if (all) callback(null, open)
      else callback(null, open[0].address, open[0].family)
    })
  }
}

function refused(host: string): Unreachable {
  return new Unreachable(`${host} leads to no public address; the master’s --notification-networks allows others`)
}

// The status says what came of it; what is wrong with the rest changes nothing.
async function beginning(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let read = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      read += chunk.length
      if (read >= mostRead) break
    }
  } catch {
    // Cut off.
  } finally {
    response.destroy()
  }
  return Buffer.concat(chunks).subarray(0, mostRead).toString('utf8')
}
