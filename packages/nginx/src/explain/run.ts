import { applyRealIp, checkAccess } from './access.ts'
import { limitCautions, refuseForeign } from './cautions.ts'
import { contentOf, tryFiles } from './content.ts'
import { findLocation, type Place } from './find-location.ts'
import type { Node } from './read-config.ts'
import { closes, respond } from './respond.ts'
import { enter, runRewrites } from './rewrite.ts'
import { Unsure } from './unsure.ts'
import { note, type Visit } from './visit.ts'

/** How a request ends. */
export type End =
  | { kind: 'answer'; status: number; text: string; node: Node }
  | { kind: 'redirect'; status: number; location: string; node: Node | undefined }
  | { kind: 'status'; status: number; node: Node | undefined }
  | { kind: 'file' | 'listing'; path: string; node: Node | undefined }
  | { kind: 'handler'; node: Node }

/** Where the request goes on, or what it came to in one phase. */
type Next =
  | End
  | { kind: 'go'; to: Phase }
  | { kind: 'again' }
  | { kind: 'internal'; uri: string; args: string }
  | { kind: 'named'; name: string }

type Phase = 'server' | 'location' | 'rewrite' | 'access'

/** Takes a request through nginx's phases until it is answered, or from a status on that it has already. `place` follows where it is. */
export function run(visit: Visit, place: Place, status?: number): End {
  let phase: Phase = 'server'
  let now: Next = status === undefined ? phases.server(visit, place) : { kind: 'status', status, node: undefined }
  for (;;) {
    const next = settle(visit, now)
    switch (next.kind) {
      case 'go':
        phase = next.to
        break
      case 'again':
      case 'internal':
      case 'named':
        if (--visit.changesLeft === 0) return cycle(visit)
        phase =
          next.kind === 'again'
            ? lookAgain(visit)
            : next.kind === 'internal'
              ? redirectInside(visit, next)
              : goToNamed(visit, next.name, place)
        break
      default:
        return next
    }
    now = phases[phase](visit, place)
  }
}

const phases: Record<Phase, (visit: Visit, place: Place) => Next> = {
  server: (visit) => {
    const end = runRewrites(visit)
    return end.kind === 'on' ? { kind: 'go', to: 'location' } : end
  },
  location: (visit, place) => {
    const found = findLocation(visit, place)
    return found ?? { kind: 'go', to: 'rewrite' }
  },
  rewrite: (visit) => {
    if (visit.level.kind === 'server') return { kind: 'go', to: 'access' }
    const end = runRewrites(visit)
    if (end.kind !== 'on') return end
    if (!visit.uriChanged) return { kind: 'go', to: 'access' }
    return { kind: 'again' }
  },
  access: (visit) => {
    if (visit.source === visit.incoming.source) applyRealIp(visit)
    refuseForeign(visit)
    visit.cautions.push(...limitCautions(visit.level))
    const refused = checkAccess(visit)
    if (refused) return { kind: 'status', status: refused.status, node: refused.node }
    return tryFiles(visit) ?? contentOf(visit)
  },
}

// Follows the error page of a status, if there is one.
function settle(visit: Visit, next: Next): Next {
  if (next.kind !== 'status' && next.kind !== 'redirect') return next
  if (closes(next.status)) return next
  const response = respond(visit, next.status)
  switch (response.kind) {
    case 'end':
      return next
    case 'external':
      return { kind: 'redirect', status: response.status, location: response.location, node: response.node }
    default:
      return response
  }
}

function cycle(visit: Visit): End {
  note(visit, 'request', 'the request goes round in circles, and nginx gives up after ten turns: 500')
  visit.errorStatus = 500
  return { kind: 'status', status: 500, node: undefined }
}

function lookAgain(visit: Visit): Phase {
  visit.level = visit.server.level
  return 'location'
}

function redirectInside(visit: Visit, { uri, args }: { uri: string; args: string }): Phase {
  const level = visit.server.level
  Object.assign(visit, {
    uri,
    args,
    internal: true,
    unparsedHolds: false,
    locationHolds: true,
    uriAfterAlias: false,
    sentAway: false,
    level,
  })
  return 'server'
}

function goToNamed(visit: Visit, name: string, place: Place): Phase {
  const location = visit.locations.named.get(name)
  if (!location) throw new Unsure(`the server has no location ${name}`)
  place.chosen = { location, reason: 'named', tried: [], matched: [] }
  note(visit, 'location', `the request goes on in "location ${name}"`, location.node)
  Object.assign(visit, { internal: true, uriChanged: false, handler: undefined })
  enter(visit, location.level)
  return 'rewrite'
}
