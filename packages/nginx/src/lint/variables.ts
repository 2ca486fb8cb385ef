import { parseServerNames } from '@nxmesh/model/server-name'
import { groupsOf, isNarrow, takesLineBreak } from './regex.ts'
import { type HostScope, inForce, type LocationScope, type Scope, statementsOf } from './scope.ts'
import type { Statement } from './statement.ts'

/** The names of the variables in a text, captures as numbers. */
export function variablesIn(text: string): string[] {
  return [...text.matchAll(/\$(?:\{([A-Za-z0-9_]+)\}|([0-9])|([A-Za-z_][A-Za-z0-9_]*))/g)].map(
    (match) => (match[1] ?? match[2] ?? match[3])!,
  )
}

/** Where a text stands. */
export interface Place {
  scope: Scope
  statement?: Statement
  location?: LocationScope
}

// Source: nginx, alphabetical index of variables; each is a piece of the request as the client sent it.
const fromRequest =
  /^(arg_.+|cookie_.+|http_.+|args|query_string|uri|document_uri|request_uri|request|request_filename|request_body|remote_user|ssl_server_name)$/

/** The variables in a text whose value clients choose freely, looked up through `set` and `map`. */
export function chosenByClients(text: string, place: Place): string[] {
  return variablesIn(text).filter((name) => holds(name, place, (origin) => isChosen(origin, place)))
}

/** The variables in a text that can hold a line break: the decoded URI, and groups of regular expressions that take one from it. */
export function holdingLineBreaks(text: string, place: Place): string[] {
  return variablesIn(text).filter((name) =>
    holds(name, place, (origin) => origin === 'uri' || origin === 'document_uri' || captures(origin, place, takesLineBreak, true)),
  )
}

function isChosen(name: string, place: Place): boolean {
  if (name === 'host') return place.scope.kind === 'settings' || takesAnyName(place.scope)
  return fromRequest.test(name) || captures(name, place, (group) => !isNarrow(group))
}

// Another host than these does not get here: the port's fallback answers it.
function takesAnyName({ host }: HostScope): boolean {
  const parsed = parseServerNames(host.server_name)
  return !parsed.ok || parsed.names.some((name) => name === '_' || name.startsWith('~') || /[*]|^\./.test(name))
}

/** Whether a variable, or one that `set` or `map` makes it from, passes a test. */
function holds(name: string, place: Place, test: (name: string) => boolean, seen: ReadonlySet<string> = new Set()): boolean {
  if (seen.has(name)) return false
  if (test(name)) return true
  const next = new Set([...seen, name])
  return valuesOf(name, place).some((value) => variablesIn(value).some((each) => holds(each, place, test, next)))
}

/** What `set` and `map` give a variable in a place. */
export function valuesOf(name: string, { scope, location }: Place): string[] {
  const found: string[] = []
  const all: Iterable<Statement> = scope.kind === 'settings' ? scope.statements : inForce(scope, location)
  for (const { name: directive, args, entries } of all) {
    if (directive === 'set' && args[0] === `$${name}`) found.push(args[1] ?? '')
    if (directive === 'map' && args[1] === `$${name}`) found.push(...entries.flatMap((entry) => entry.args[0] ?? []))
  }
  return found
}

/** Whether a name is that of a group of a regular expression which may have been matched, with what is decoded if need be, and the group passes a test. */
function captures(name: string, place: Place, test: (group: string) => boolean, decodedOnly = false): boolean {
  return patternsFor(place).some(
    ({ pattern, subject }) =>
      !(decodedOnly && isRaw(subject)) &&
      groupsOf(pattern).some((group, at) => (group.name === name || String(at + 1) === name) && test(group.text)),
  )
}

/** Whether a text is of variables that hold a piece of the request as it came, where nginx takes no line break. */
function isRaw(text: string): boolean {
  return variablesIn(text).every((name) =>
    /^(host|server_name|request_method|request_uri|args|query_string|scheme|(http|arg|cookie|remote|ssl)_.+)$/.test(name),
  )
}

/** A regular expression and the text that it is held against. */
interface Matched {
  pattern: string
  subject: string
}

function patternsFor({ scope, location, statement: inner }: Place): Matched[] {
  const found: Matched[] = []
  const add = (pattern: string, subject: string) => void found.push({ pattern, subject })
  for (const { name, args } of inner?.within ?? []) if (name === 'location' && args[0]?.startsWith('~')) add(args[1] ?? '', '$uri')
  if (location?.modifier === '~' || location?.modifier === '~*') add(location.pattern, '$uri')
  if (scope.kind === 'virtual_host') {
    for (const name of scope.host.server_name.split(/\s+/)) if (name.startsWith('~')) add(name.slice(1), '$host')
  }
  for (const { statement, location: own } of statementsOf(scope)) {
    if (own !== undefined && own !== location) continue
    if (statement.name === 'rewrite' && statement.args[0] !== undefined) add(statement.args[0], '$uri')
    const condition = statement.name === 'if' ? conditionOf(statement) : undefined
    if (condition) add(condition.pattern, `$${condition.variable}`)
  }
  const outer = scope.kind === 'settings' ? scope : scope.outer
  for (const { name, args, entries } of outer.statements)
    if (name === 'map') for (const { key } of entries) add(mapPattern(key) ?? '', args[0] ?? '')
  return found
}

/** The regular expression of an entry of `map`, or undefined where the entry is plain text. */
export function mapPattern(key: string): string | undefined {
  return /^~\*?(.*)$/s.exec(key)?.[1]
}

/** The variable and the regular expression of an `if` that compares them; undefined for any other condition. */
export function conditionOf({ args }: Statement): { variable: string; negated: boolean; pattern: string } | undefined {
  const inner = args
    .join(' ')
    .replace(/^\(\s*/, '')
    .replace(/\s*\)$/, '')
  const parts = /^\$(\w+)\s+(!?)~\*?\s*(.+)$/s.exec(inner)
  return parts ? { variable: parts[1]!, negated: parts[2] === '!', pattern: parts[3]! } : undefined
}
