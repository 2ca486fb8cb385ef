import type { ExplainOutcome, Explanation } from '@nxmesh/model/explanation'
import { applyRealIp } from './access.ts'
import { begin } from './begin.ts'
import { type ChosenServer, chooseServer, chooseSocket, defaultOf, type Socket } from './choose-server.ts'
import { responseHeaders } from './client-headers.ts'
import type { Place } from './find-location.ts'
import { hostHeader, isAddress } from './host-header.ts'
import { inherited, isOn, setting } from './level.ts'
import { outcomeOf } from './outcome.ts'
import { type PlaceOf, text } from './places.ts'
import { type Refusal, refusalOf } from './refusal.ts'
import { type End, run } from './run.ts'
import type { Config } from './servers.ts'
import { Unsure } from './unsure.ts'
import { normalise } from './uri.ts'
import { type Incoming, note, type Visit } from './visit.ts'

/**
 * Tells what nginx does with a request: which server and location, the steps between, and how it ends. What depends on something
 * that only a running nginx or its host knows is said to be unknown, never guessed. `placeOf` tells where directives stand.
 */
export function explain(config: Config, incoming: Incoming, placeOf: PlaceOf): Explanation {
  const told: Told = { socket: undefined, chosen: undefined, place: { chosen: undefined }, visit: undefined }
  try {
    const outcome = follow(config, incoming, placeOf, told)
    return explanationOf(outcome, told, placeOf)
  } catch (problem) {
    if (!(problem instanceof Unsure)) throw problem
    return explanationOf({ kind: 'unknown', reason: text(problem.message), place: placeOf(problem.node) }, told, placeOf)
  }
}

/** What is known so far. */
interface Told {
  socket: Socket | undefined
  chosen: ChosenServer | undefined
  place: Place
  visit: Visit | undefined
}

function follow(config: Config, incoming: Incoming, placeOf: PlaceOf, told: Told): ExplainOutcome {
  const socket = chooseSocket(config.servers, incoming.port, incoming.source, incoming.destination)
  if (!socket) return { kind: 'closed', reason: `nginx does not listen on port ${incoming.port} there`, place: null }
  told.socket = socket
  const host = hostHeader(incoming.host)
  const effort = { left: 1_000_000 }
  const tls = incoming.scheme === 'https'
  const misgreeted = misgreeting(socket, incoming)
  if (misgreeted !== undefined) return { kind: 'closed', reason: misgreeted, place: placeOf(defaultOf(socket).node) }
  if (tls && !socket.ssl)
    return { kind: 'closed', reason: `port ${incoming.port} does not speak TLS`, place: placeOf(defaultOf(socket).node) }
  const greeting = tls && host.ok && !isAddress(host.name) ? chooseServer(socket, host.name, effort) : defaultOf(socket)
  told.chosen = greeting
  if (tls && isOn(greeting.server.level, 'ssl_reject_handshake', false))
    return {
      kind: 'closed',
      reason: 'the TLS handshake is rejected',
      place: placeOf(setting(greeting.server.level, 'ssl_reject_handshake')),
    }
  const target = normalise(incoming.path, isOn(greeting.server.level, 'merge_slashes', true))
  const begun = socket.proxyProtocol || incoming.proxied === undefined
  const chosen = host.ok && target.ok && begun ? chooseServer(socket, host.name, effort) : greeting
  told.chosen = chosen
  const visit = begin(config, seenOn(socket, incoming), { chosen, host, effort })
  told.visit = visit
  const end = answer(visit, told.place, refusalOf(visit, { socket, host, target }))
  return outcomeOf(visit, end, placeOf)
}

/** What nginx cannot make sense of before there is a request. */
function misgreeting({ proxyProtocol }: Socket, { port, scheme, proxied }: Incoming): string | undefined {
  if (proxyProtocol && proxied === undefined)
    return `what comes to port ${port} must begin with a header of the PROXY protocol: proxy_protocol_address says what is in it`
  if (!proxyProtocol && proxied !== undefined && scheme === 'https') return `port ${port} takes no header of the PROXY protocol before TLS`
  return undefined
}

/** A request with its addresses as the socket shows them. */
function seenOn(socket: Socket, incoming: Incoming): Incoming {
  const shown = (address: string) => (socket.address.startsWith('[') && !address.includes(':') ? `::ffff:${address}` : address)
  const { source, destination } = incoming
  return { ...incoming, source: shown(source), destination: destination && shown(destination) }
}

function answer(visit: Visit, place: Place, refusal: Refusal | undefined): End {
  if (!refusal) {
    applyRealIp(visit)
    return run(visit, place)
  }
  const { status, why } = refusal
  note(visit, 'request', `${why}: ${status === 497 ? 400 : status}`, undefined)
  const pages = inherited(visit.level, 'error_page')
  const own = pages.find(({ args }) => args.includes('400'))
  if (!visit.read && own) throw new Unsure('how an error page answers a request that nginx could not read', own)
  return run(visit, place, status)
}

function explanationOf(outcome: ExplainOutcome, { socket, chosen, place, visit }: Told, placeOf: PlaceOf): Explanation {
  const status = 'status' in outcome ? outcome.status : undefined
  const { location, reason } = place.chosen ?? {}
  const stops = outcome.kind === 'error' || outcome.kind === 'closed' ? outcome.place : null
  return {
    outcome,
    server: chosen
      ? {
          names: chosen.server.names.flatMap(({ name }) => (name === '' ? [] : [text(name)])),
          address: `${socket!.address}:${visit?.incoming.port ?? ''}`,
          reason: chosen.reason,
          matched: chosen.name === undefined ? null : text(chosen.name),
          place: placeOf(chosen.server.level.node),
        }
      : null,
    location: reason ? { path: text(location?.node.args.join(' ') ?? ''), reason, place: placeOf(location?.node) } : null,
    steps: (visit?.steps ?? []).map(({ kind, text: message, node }) => ({ kind, message: text(message), place: placeOf(node) })),
    stopped_by: stops && { message: visit?.steps.at(-1)?.text ?? '', place: stops },
    response_headers: visit && outcome.kind !== 'unknown' && outcome.kind !== 'closed' ? responseHeaders(visit, status, placeOf) : [],
    cautions: (visit?.cautions ?? []).map(({ text: message, node }) => ({ message, place: placeOf(node) })),
    assumptions: [...new Set((visit?.assumptions ?? []).map(text))],
  }
}
