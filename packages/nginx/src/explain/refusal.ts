import type { Socket } from './choose-server.ts'
import type { HostHeader } from './host-header.ts'
import { setting } from './level.ts'
import { Unsure } from './unsure.ts'
import type { Normalised } from './uri.ts'
import { headerOf, type Visit } from './visit.ts'

/** Why nginx answers with an error before it looks at its rules; undefined where it does not. */
export function refusalOf(
  visit: Visit,
  { socket, host, target }: { socket: Socket; host: HostHeader; target: Normalised },
): Refusal | undefined {
  const { incoming, server } = visit
  visit.read = false
  if (!socket.proxyProtocol && incoming.proxied !== undefined)
    return { status: 400, why: 'the port takes no PROXY protocol, and its header is no request' }
  refuseOdd(visit)
  if (!target.ok) return { status: 400, why: target.why }
  if (!host.ok) return { status: 400, why: host.why }
  if (!/^\d*$/.test(headerOf(visit, 'content-length'))) return { status: 400, why: 'the Content-Length header is no number' }
  const { uri, args, unparsed, quoted, plus } = target.target
  Object.assign(visit, { uri, args, unparsed, quoted, plus, read: true })
  if (incoming.method === 'CONNECT') throw new Unsure('what CONNECT does depends on the release of nginx')
  if (incoming.method === 'TRACE') return { status: 405, why: 'nginx refuses TRACE' }
  if (socket.ssl && incoming.scheme === 'http') return { status: 497, why: 'plain HTTP on a port that speaks TLS' }
  const verify = setting(server.level, 'ssl_verify_client')
  if (incoming.scheme === 'https' && verify && verify.args[0] !== 'off') throw new Unsure('which certificate the client shows', verify)
  return undefined
}

export interface Refusal {
  status: number
  why: string
}

// Whether these fit depends on the buffers of nginx and what came before on the connection.
function refuseOdd({ incoming }: Visit): void {
  if (incoming.headers.has('transfer-encoding')) throw new Unsure('what the body of the request is')
  const length = [...incoming.headers].reduce((sum, [name, values]) => sum + name.length + values.join().length + 4, incoming.path.length)
  if (length > 7000) throw new Unsure('whether nginx has room for such long headers')
}
