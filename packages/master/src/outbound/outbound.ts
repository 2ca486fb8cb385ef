import { type LookupAddress, lookup } from 'node:dns'
import { once } from 'node:events'
import { type IncomingHttpHeaders, type IncomingMessage, request as plain } from 'node:http'
import { request as encrypted } from 'node:https'
import { connect, isIP, type LookupFunction, type Socket } from 'node:net'
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
    async exchange({ method, url, headers, body, signal, mostRead, ca }) {
      const target = new URL(url)
      // Nobody looks up what is an address already.
      if (isForbidden(target)) throw refused(target.hostname)
      const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
      const options = { method, headers: { ...headers, ...length }, agent: false as const, signal, lookup: guarded }
      const response = await new Promise<IncomingMessage>((answered, failed) => {
        const secured = ca === undefined ? options : { ...options, ca }
        const call = target.protocol === 'https:' ? encrypted(target, secured, answered) : plain(target, options, answered)
        call.on('error', failed)
        call.end(body)
      })
      return { status: response.statusCode ?? 0, headers: response.headers, ...(await beginning(response, mostRead)) }
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
