import { type ChosenLocation, chooseLocation } from './choose-location.ts'
import { plainPath } from './escape.ts'
import { setting } from './level.ts'
import type { Node } from './read-config.ts'
import { enter } from './rewrite.ts'
import { capture, forgetAfter, headerOf, note, type Visit } from './visit.ts'

/** The location that a request is in, and why. */
export interface Place {
  chosen: ChosenLocation | undefined
}

/** Why a request does not go on in its location. */
type Stop =
  | { kind: 'status'; status: number; node: Node | undefined }
  | { kind: 'redirect'; status: number; location: string; node: Node | undefined }

/** Looks for the location of the URI and takes its settings; undefined where the request goes on in it. */
export function findLocation(visit: Visit, place: Place): Stop | undefined {
  visit.uriChanged = false
  visit.handler = undefined
  const chosen = chooseLocation(visit.locations, visit.uri, visit.effort)
  place.chosen = chosen
  for (const { location, fits } of chosen.tried) if (location.regex && !fits) forgetAfter(visit, location.regex)
  for (const { regex, groups } of chosen.matched) capture(visit, regex.names, groups)
  const { location, reason } = chosen
  if (!location) {
    note(visit, 'location', `no location fits "${visit.uri}": the settings of the server hold`)
    return undefined
  }
  note(visit, 'location', `"${visit.uri}" is in "location ${location.node.args.join(' ')}": ${words[reason]}`, location.node)
  visit.level = location.level
  const internal = setting(location.level, 'internal')
  if (internal && !visit.internal) {
    note(visit, 'location', 'it is only for requests that nginx sends there itself: 404', internal)
    return { kind: 'status', status: 404, node: internal }
  }
  enter(visit, location.level)
  const tooLarge = bodyTooLarge(visit)
  if (tooLarge) return { kind: 'status', status: 413, node: tooLarge }
  if (reason === 'final_slash') {
    const target = `${plainPath(location.pattern)}${visit.args === '' ? '' : `?${visit.args}`}`
    return { kind: 'redirect', status: 301, location: target, node: location.node }
  }
  return undefined
}

const words: Record<ChosenLocation['reason'], string> = {
  exact: 'an exact location goes before all others',
  prefix_without_regex: 'the longest prefix, and "^~" keeps regular expressions from being asked',
  regex: 'the first regular expression of the file that matches',
  longest_prefix: 'the longest prefix, and no regular expression matches',
  final_slash: 'it hands requests on and only the final slash is missing, so nginx redirects there',
  named: 'it is gone to by name',
  none: 'no location fits',
}

function bodyTooLarge(visit: Visit): Node | undefined {
  const length = Number(headerOf(visit, 'content-length') || '0')
  const node = setting(visit.level, 'client_max_body_size')
  const limit = sizeOf(node?.args[0] ?? '1m')
  if (limit === 0 || length <= limit || visit.bodyDropped) return undefined
  visit.bodyDropped = true
  note(visit, 'request', `a body of ${length} bytes is more than ${node?.args[0] ?? '1m'}: 413`, node)
  return node ?? visit.level.node
}

function sizeOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([kmg]?)$/i.exec(text) ?? []
  return Number(digits ?? '0') * 1024 ** ['', 'k', 'm', 'g'].indexOf(unit.toLowerCase())
}
