import type { Effort } from '../pcre/match.ts'
import type { Regex } from '../pcre/regex.ts'
import type { Location, LocationTree } from './locations.ts'
import { searchStatic } from './static-locations.ts'
import { Unsure } from './unsure.ts'

/** Why a location was taken. */
export type LocationReason = 'exact' | 'prefix_without_regex' | 'regex' | 'longest_prefix' | 'final_slash' | 'named' | 'none'

export interface ChosenLocation {
  /** Undefined where no location fits and the server's own settings hold. */
  location: Location | undefined
  reason: LocationReason
  /** What was looked at, in order. */
  tried: { location: Location; fits: boolean }[]
  /** Each expression that matched on the way, with what its groups took. */
  matched: { regex: Regex; groups: (string | undefined)[] }[]
}

/**
 * The location for a URI: an exact one, else the longest prefix unless a regular expression fits, first in the file first, nested ones
 * the same way inside. Source: nginx, ngx_http_core_find_location.
 */
export function chooseLocation(tree: LocationTree, uri: string, effort: Effort): ChosenLocation {
  const search: ChosenLocation = { location: undefined, reason: 'none', tried: [], matched: [] }
  searchTree(tree, uri, { search, effort })
  return search
}

/** Whether the search is at its end. */
function searchTree(tree: LocationTree, uri: string, { search, effort }: { search: ChosenLocation; effort: Effort }): boolean {
  const found = searchStatic(tree.static, uri)
  if (found.kind === 'exact' || found.kind === 'redirect') {
    search.tried.push({ location: found.location, fits: true })
    search.location = found.location
    search.reason = found.kind === 'exact' ? 'exact' : 'final_slash'
    return true
  }
  if (found.kind === 'prefix') {
    const { location } = found
    search.tried.push({ location, fits: true })
    search.location = location
    search.reason = location.modifier === '^~' ? 'prefix_without_regex' : 'longest_prefix'
    if (searchTree(location.nested, uri, { search, effort })) return true
    if (location.modifier === '^~') return false
  }
  for (const location of tree.regexes) {
    const match = location.regex!.match(uri, effort)
    if (match.kind === 'unsure') throw new Unsure(match.why, location.node)
    search.tried.push({ location, fits: match.kind === 'match' })
    if (match.kind === 'none') continue
    search.location = location
    search.reason = 'regex'
    search.matched.push({ regex: location.regex!, groups: match.groups })
    searchTree(location.nested, uri, { search, effort })
    // Inside of an expression nginx forgets that it was about to redirect.
    if ((search.reason as LocationReason) === 'final_slash') search.reason = 'longest_prefix'
    return true
  }
  return false
}
