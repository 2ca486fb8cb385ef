import type { ExplainOutcome } from '@nxmesh/model/explanation'
import { answerCautions, proxyCautions } from './cautions.ts'
import { type PlaceOf, text } from './places.ts'
import { proxyOutcome } from './proxy.ts'
import { locationHeader } from './redirect.ts'
import { closes } from './respond.ts'
import type { End } from './run.ts'
import type { Visit } from './visit.ts'

// nginx keeps these statuses to itself. Source: nginx, ngx_http_special_response_handler.
const badRequests: ReadonlySet<number> = new Set([494, 495, 496, 497])

// Source: RFC 9110, section 6.4.1.
const bodiless: ReadonlySet<number> = new Set([204, 304])

/** How a request ends, in words for whoever asked. */
export function outcomeOf(visit: Visit, end: End, placeOf: PlaceOf): ExplainOutcome {
  const status = (own: number) => (visit.errorStatus === 0 ? own : visit.errorStatus)
  if (end.kind !== 'status') visit.cautions.push(...answerCautions(visit, end.kind === 'file'))
  switch (end.kind) {
    case 'answer':
      return {
        kind: 'answer',
        status: status(end.status),
        body: bodiless.has(status(end.status)) ? '' : text(end.text),
        place: placeOf(end.node),
      }
    case 'redirect':
      return { kind: 'redirect', status: end.status, location: text(locationHeader(visit, end.location)), place: placeOf(end.node) }
    case 'status':
      if (closes(end.status)) return { kind: 'closed', reason: 'nginx closes the connection without an answer', place: placeOf(end.node) }
      return { kind: 'error', status: badRequests.has(end.status) ? 400 : end.status, place: placeOf(end.node) }
    case 'file':
    case 'listing':
      return { kind: end.kind, path: text(end.path), status: status(200), place: placeOf(end.node) }
    case 'handler': {
      if (!end.node.name.endsWith('_pass')) return { kind: 'handler', directive: end.node.name, place: placeOf(end.node) }
      visit.cautions.push(...proxyCautions(visit, end.node))
      return proxyOutcome(visit, end.node, placeOf)
    }
    default:
      return end satisfies never
  }
}
