import type { Problem } from '@nxmesh/model/problem'
import { statusCodeProblem } from './check-status-codes.ts'
import { contextsFor } from './directive-contexts.ts'
import type { Allowed, DirectiveContext } from './directive-rules.ts'
import { type Level, type ReadStatement, readExtra, readStatement } from './render/custom-directives.ts'

const nouns: Record<DirectiveContext, string> = {
  main: 'the main context',
  events: 'the events block',
  http: 'the http block',
  server: 'a virtual host',
  location: 'a location',
}

/** Checks directives given by users: each is one statement, may be set by users, and is allowed where it will stand. */
export function checkDirectives(
  directives: Readonly<Record<string, string>>,
  path: string,
  contextOf: (name: string) => DirectiveContext,
  allowed: Allowed,
): Problem[] {
  return Object.entries(directives).flatMap(([name, value]) =>
    problemsOf(readStatement(name, value, 'custom', allowed), `${path}.${name}`, contextOf),
  )
}

/** Checks extra directives in the same way. */
export function checkExtra(
  directives: readonly string[] | undefined,
  path: string,
  level: Level,
  contextOf: (name: string) => DirectiveContext,
  allowed: Allowed,
): Problem[] {
  return (directives ?? []).flatMap((text, at) => problemsOf(readExtra(text, level, allowed), `${path}.${at}`, contextOf))
}

function problemsOf(read: ReadStatement, field: string, contextOf: (name: string) => DirectiveContext): Problem[] {
  if (!read.ok) return [{ field, message: read.message, code: read.reason === 'refused' ? 'NOT_ALLOWED' : 'INVALID_FORMAT' }]
  const { name, args } = read.statement
  const code = statusCodeProblem(name, args)
  if (code !== undefined) return [{ field, message: code, code: 'OUT_OF_RANGE' }]
  const context = contextOf(name)
  const allowed = contextsFor(name)
  if (allowed === undefined || allowed.includes(context)) return []
  const places = allowed.length === 0 ? 'an upstream block' : allowed.map((other) => nouns[other]).join(' or ')
  const message = `"${name}" is not allowed in ${nouns[context]}, only in ${places}`
  return [{ field, message, code: 'NOT_ALLOWED' }]
}
