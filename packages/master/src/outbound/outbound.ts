import { type LookupAddress, lookup } from 'node:dns'
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request as plain } from 'node:http'
import { request as encrypted } from 'node:https'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
import type { Connections } from './connections.ts'
import { blockList, literalOf, mayReach } from './public-address.ts'

/** How names are looked up: all addresses of one. */
export type Resolve = (hostname: string, found: (error: NodeJS.ErrnoException | null, addresses?: LookupAddress[]) => void) => void

export interface OutboundRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  url: string
  headers?: Record<string, string>
  body?: string | Uint8Array
  signal: AbortSignal
  /** Bytes of the answer that are read; the rest is left. */
  mostRead: number
  /** PEM of the only CAs that the server's certificate may come from; absent, those that Node trusts. */
  ca?: string | undefined
  /** Absent, the request has a connection of its own. */
  connections?: Connections
}

export interface OutboundAnswer {
  status: number
  headers: IncomingHttpHeaders
  /** How it begins. */
  body: Buffer
  /** Whether that is all of it: it was neither longer than what is read nor cut off. */
  whole: boolean
}

/** Requests to addresses that users name: they never lead into the networks around the master. */
export interface Outbound {
  /** Whether a URL names an address that nothing may be sent to. A name is looked up when something is. */
  isForbidden(url: URL): boolean
  /** Sends a request and follows no redirect. Throws where no answer comes. */
  exchange(request: OutboundRequest): Promise<OutboundAnswer>
  /** Opens a connection. The address that is checked is the one that is connected to. Throws where there is none. */
  connect(host: string, port: number, signal: AbortSignal): Promise<Socket>
  /** Whether something may be sent to an address. */
  mayReach(address: string): boolean
}

/** An address that may not be reached. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

/** @param networks Networks and addresses that are not public and may be reached all the same. */
export function openOutbound(networks: readonly string[], resolve: Resolve = lookUp): Outbound {
  const allowed = blockList(networks)
  const isForbidden = (url: URL) => {
    const literal = literalOf(url)
    return literal !== undefined && !mayReach(literal, allowed)
  }

  // The look-up that connects is the one that is checked, so a name cannot lead elsewhere a moment later.
  const guarded: LookupFunction = (hostname, { all }, callback) => {
    resolve(hostname, (error, addresses = []) => {
      const open = addresses.filter(({ address }) => mayReach(address, allowed))
      if (error || open[0] === undefined) callback(error ?? refused(hostname), '')
      else if (all) callback(null, open)
      else callback(null, open[0].address, open[0].family)
    })
  }

  return {
    isForbidden,
    async exchange(request) {
      const target = new URL(request.url)
      // Nobody looks up what is an address already.
      if (isForbidden(target)) throw refused(target.hostname)
      for (;;) {
        const sent = await send(target, request, guarded)
        // A server may close a connection that waits just when the next request comes (RFC 9112 section 9.3.1).
        if (sent === 'closed') continue
        return { status: sent.statusCode ?? 0, headers: sent.headers, ...(await beginning(sent, request.mostRead)) }
      }
    },
    async connect(host, port, signal) {
      if (isIP(host) !== 0 && !mayReach(host, allowed)) throw refused(host)
      const socket = connect({ host, port, lookup: guarded, signal })
      await once(socket, 'connect')
      return socket
    },
    mayReach: (address) => mayReach(address, allowed),
  }
}

// What was kept open may be closed by now, which says nothing of a new connection.
async function send(
  target: URL,
  { method, headers, body, signal, ca, connections }: OutboundRequest,
  lookup: LookupFunction,
): Promise<IncomingMessage | 'closed'> {
  const isEncrypted = target.protocol === 'https:'
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  const agent = isEncrypted ? connections?.encrypted : connections?.plain
  const options = { method, headers: { ...headers, ...length }, agent: agent ?? (false as const), signal, lookup }
  return new Promise((answered, failed) => {
    const secured = ca === undefined ? options : { ...options, ca }
    const call = isEncrypted ? encrypted(target, secured, answered) : plain(target, options, answered)
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (call.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE')) answered('closed')
      else failed(error)
    })
    call.end(body)
  })
}

const lookUp: Resolve = (hostname, found) => lookup(hostname, { all: true }, found)

function refused(host: string): Unreachable {
  return new Unreachable(`${host} leads to no public address; the master’s --outbound-networks allows others`)
}

// The status says what came of most requests; whoever needs all of the answer looks whether it is there.
async function beginning(response: IncomingMessage, mostRead: number): Promise<Pick<OutboundAnswer, 'body' | 'whole'>> {
  const chunks: Buffer[] = []
  let read = 0
  let whole = true
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      read += chunk.length
      if (read > mostRead) break
    }
  } catch {
    whole = false
  } finally {
    response.destroy()
  }
  return { body: Buffer.concat(chunks).subarray(0, mostRead), whole: whole && read <= mostRead }
}
