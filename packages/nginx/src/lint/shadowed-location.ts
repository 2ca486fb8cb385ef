import { locationKey, locationPattern } from '../render/location-path.ts'
import { found, type LintFinding } from './finding.ts'
import { hasAlternatives, literalStart } from './regex.ts'
import type { LocationScope, Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'shadowed_location',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#location',
} as const

/** A location as nginx looks for it. */
interface Candidate extends LocationScope {
  at: number
  key: string
  /** Of a prefix: the text that URIs are compared with. */
  prefix?: string
  regex?: Regex
}

interface Regex {
  ignoresCase: boolean
  /** Whether it matches every URI. */
  takesAll: boolean
  /** What every URI that it matches begins with, where its text shows it. */
  start: string | undefined
  /** Whether every URI that begins so is matched. */
  onlyStart: boolean
  /** Whether it is one piece, so that what follows it can only narrow it. */
  isPiece: boolean
}

/** A location that no request can reach, as another always takes it first. */
export function shadowedLocation(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  const candidates = scope.locations.filter(({ modifier, outer }) => modifier !== '@' && outer === undefined).map(candidate)
  const first = new Map<string, Candidate>()
  for (const each of candidates) if (!first.has(each.key)) first.set(each.key, each)
  return candidates.flatMap((loser) => {
    const same = first.get(loser.key)!
    const winner = same === loser ? (loser.regex ? winnerOverRegex : winnerOverPrefix)(loser, candidates) : same
    if (!winner) return []
    const reason = `no request reaches it: "${winner.location.path}" (${winner.field}) takes each one first`
    return [found(rule, scope.object, `${loser.field}.path`, reason, fixFor(winner, loser))]
  })
}

function candidate(location: LocationScope, at: number): Candidate {
  const { modifier, pattern } = location
  const base = { ...location, at, key: locationKey(location.location.path) }
  if (modifier !== '~' && modifier !== '~*') return { ...base, prefix: locationPattern(location.location.path) }
  const start = literalStart(pattern)
  const written = pattern.slice(1).replace(/\\([^A-Za-z0-9])/g, '$1')
  return {
    ...base,
    regex: {
      ignoresCase: modifier === '~*',
      takesAll: everything.test(pattern),
      start,
      onlyStart: start !== undefined && start !== '' && (written === start || written === `${start}.*`),
      isPiece: isWhole(pattern) && !hasAlternatives(pattern),
    },
  }
}

function fixFor(winner: Candidate, loser: Candidate): string {
  if (winner.regex) {
    return loser.regex ? 'put it before the other, or take the other away' : 'begin it with "^~", which regular expressions do not override'
  }
  return loser.regex ? 'take "^~" from the other, or write this one as a prefix' : 'take one of the two away'
}

// Every URI begins with a slash.
const everything = /^(\^?\/?(\.\*|\(\.\*\))\$?|\^?\/?|\.|\.\+|\^\.\+\$?)$/

/** Regular expressions are tried in order; none is where the longest prefix says `^~`. */
function winnerOverRegex(loser: Candidate, candidates: readonly Candidate[]): Candidate | undefined {
  return candidates.find((other) => other.at < loser.at && other.regex && covers(other, loser)) ?? neverAsked(loser, candidates)
}

/** A regular expression that matches takes precedence over a prefix without `^~`, wherever it stands. */
function winnerOverPrefix({ modifier, prefix }: Candidate, candidates: readonly Candidate[]): Candidate | undefined {
  if (modifier !== '' || prefix === undefined) return undefined
  return candidates.find(({ regex }) => {
    if (!regex?.onlyStart || regex.start === undefined) return regex?.takesAll === true
    return regex.ignoresCase ? prefix.toLowerCase().startsWith(regex.start.toLowerCase()) : prefix.startsWith(regex.start)
  })
}

/** Whether the first of two regular expressions matches whatever the second does, as far as their text shows it. */
function covers(first: Candidate, second: Candidate): boolean {
  const [a, b] = [first.regex!, second.regex!]
  if (a.takesAll) return true
  if ((b.ignoresCase && !a.ignoresCase) || !a.isPiece || !b.isPiece || !second.pattern.startsWith(first.pattern)) return false
  return !/[\\$]$/.test(first.pattern) && !/^[?*+{]/.test(second.pattern.slice(first.pattern.length))
}

/** Whether every group and class that a regular expression opens is closed in it. */
function isWhole(pattern: string): boolean {
  const plain = pattern.replace(/\\./g, '').replace(/\[\^?\]?[^\]]*\]/g, '')
  return !plain.includes('[') && plain.split('(').length === plain.split(')').length
}

/** The `^~` prefix that is the longest of each URI which a regular expression can match. */
function neverAsked({ regex }: Candidate, candidates: readonly Candidate[]): Candidate | undefined {
  const start = regex?.start
  if (start === undefined || regex?.ignoresCase) return undefined
  let longest: Candidate | undefined
  for (const each of candidates) {
    if (each.prefix === undefined || each.modifier === '=') continue
    if (start.startsWith(each.prefix)) {
      if (each.prefix.length >= (longest?.prefix?.length ?? 0)) longest = each
    } else if (each.modifier === '' && each.prefix.startsWith(start)) return undefined
  }
  return longest?.modifier === '^~' ? longest : undefined
}
