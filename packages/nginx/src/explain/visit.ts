import type { Effort } from '../pcre/match.ts'
import type { Regex } from '../pcre/regex.ts'
import type { Level } from './level.ts'
import type { LocationTree } from './locations.ts'
import type { Node } from './read-config.ts'
import type { Config, Server } from './servers.ts'
import { Unsure } from './unsure.ts'

export type StepKind =
  | 'server'
  | 'location'
  | 'set'
  | 'if'
  | 'rewrite'
  | 'return'
  | 'break'
  | 'limit_except'
  | 'access'
  | 'auth'
  | 'try_files'
  | 'index'
  | 'file'
  | 'error_page'
  | 'proxy'
  | 'real_ip'
  | 'request'

export interface VisitStep {
  kind: StepKind
  text: string
  node: Node | undefined
}

/** A request as it reaches nginx. Names of headers are in lower case; text is latin1 byte by byte. */
export interface Incoming {
  method: string
  scheme: 'http' | 'https'
  host: string
  port: number
  path: string
  headers: ReadonlyMap<string, readonly string[]>
  source: string
  destination: string | undefined
  /** What a header of the PROXY protocol before the request says of the client; undefined where none is sent. */
  proxied: string | undefined
  /** What is on disk: undefined where nothing is known. */
  files: ((path: string) => 'file' | 'directory' | 'none') | undefined
}

/** What may come otherwise than told. */
export interface Caution {
  text: string
  node: Node | undefined
}

/** A request on its way through nginx: what its `ngx_http_request_t` would say. */
export interface Visit {
  config: Config
  incoming: Incoming
  server: Server
  /** Those of the server. */
  locations: LocationTree
  /** Where the settings that hold now are looked up. */
  level: Level
  /** The name that was asked for, in lower case and without its port. */
  host: string
  method: string
  source: string
  uri: string
  args: string
  unparsed: string
  unparsedHolds: boolean
  /** Whether the part of the path that a location names may still be replaced by that of `proxy_pass`. */
  locationHolds: boolean
  /** Whether `try_files` found a file that the URI names after what the `alias` of a regular expression says. */
  uriAfterAlias: boolean
  /** Whether a `rewrite` has sent the client elsewhere: newer releases forget the location then. */
  sentAway: boolean
  quoted: 'yes' | 'no' | 'maybe'
  plus: boolean
  internal: boolean
  uriChanged: boolean
  changesLeft: number
  captures: readonly (string | undefined)[] | 'unknown'
  /** What is set, and what nginx does not look up twice. */
  variables: Map<string, string>
  /** What a variable holds now. */
  variable: (name: string, node?: Node) => string
  handler: Node | undefined
  /** The status that an error page keeps; 0 where there is none. */
  errorStatus: number
  errorPageTaken: boolean
  /** Whether nginx has stopped caring for the body of the request. */
  bodyDropped: boolean
  /** Whether nginx took the request's target and headers for valid. */
  read: boolean
  /** What is left for regular expressions. */
  effort: Effort
  steps: VisitStep[]
  assumptions: string[]
  cautions: Caution[]
}

const longest = 2000

/** Notes what happened. */
export function note(visit: Visit, kind: StepKind, text: string, node?: Node): void {
  visit.steps.push({ kind, text: text.length > longest ? `${text.slice(0, longest)}...` : text, node })
}

/** Matches a regular expression as nginx does: what its groups take is what `$1` and the named variables say from then on. */
export function matchAndCapture(visit: Visit, regex: Regex, text: string, node: Node): boolean {
  const found = regex.match(text, visit.effort)
  if (found.kind === 'unsure') throw new Unsure(found.why, node)
  if (found.kind === 'none') {
    forgetAfter(visit, regex)
    return false
  }
  capture(visit, regex.names, found.groups)
  return true
}

/** With the first PCRE an expression that does not match may still write over what `$1` held. */
export function forgetAfter(visit: Visit, { groups }: Regex): void {
  if (groups > 0 && visit.captures !== 'unknown' && visit.captures.length > 1) visit.captures = 'unknown'
}

/** As the rewrite module matches: what does not match leaves nothing in `$1`. */
export function matchInScript(visit: Visit, regex: Regex, text: string, node: Node): boolean {
  const matched = matchAndCapture(visit, regex, text, node)
  if (!matched) visit.captures = []
  return matched
}

/** Keeps what the groups of an expression took. */
export function capture(visit: Visit, names: ReadonlyMap<string, number>, groups: readonly (string | undefined)[]): void {
  visit.captures = groups
  for (const [name, index] of names) visit.variables.set(name.toLowerCase(), groups[index] ?? '')
}

/** The value of a header of the request; nothing where it is absent. */
export function headerOf(visit: Visit, name: string): string {
  const values = visit.incoming.headers.get(name) ?? []
  if (values.length > 1) throw new Unsure(`what nginx takes of several headers "${name}" depends on its release`)
  return values[0] ?? ''
}
