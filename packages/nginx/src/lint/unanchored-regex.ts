import { parseServerNames } from '@nxmesh/model/server-name'
import { found, type LintFinding } from './finding.ts'
import { groupsOf, isAnchored } from './regex.ts'
import { type Scope, statementsOf } from './scope.ts'
import type { Statement } from './statement.ts'
import { conditionOf, mapPattern, variablesIn } from './variables.ts'

const rule = {
  severity: 'warning',
  code: 'unanchored_regex',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/origins.md',
} as const

const names = /^(host|http_host|http_origin|http_referer|ssl_server_name|http_x_forwarded_host)$/

/** A regular expression matches anywhere: `example\.com` also takes `example.com.attacker.net`. That matters where names and origins are judged. */
export function unanchoredRegex(scope: Scope): LintFinding[] {
  const inNames =
    scope.kind === 'virtual_host' ? serverNames(scope.host.server_name).map((pattern) => ({ field: 'server_name', pattern })) : []
  const inStatements = [...statementsOf(scope)].flatMap(({ statement }) =>
    patternsOf(statement).map((pattern) => ({ field: statement.field, pattern })),
  )
  return [...inNames, ...inStatements].flatMap(({ field, pattern }) => {
    const { start, end } = isAnchored(pattern)
    if (start && end) return []
    const missing = [start ? [] : ['does not begin with "^"'], end ? [] : ['does not end with "$"']].flat().join(' and ')
    const reason = `"${pattern}" ${missing}, so it also matches names that only contain what is meant`
    return [found(rule, scope.object, field, reason, 'write "^" before and "$" behind it, and a group around alternatives')]
  })
}

function serverNames(text: string): string[] {
  const parsed = parseServerNames(text)
  return parsed.ok ? parsed.names.filter((name) => name.startsWith('~')).map((name) => name.slice(1)) : []
}

function patternsOf(statement: Statement): string[] {
  const { name, args, entries } = statement
  switch (name) {
    case 'map':
      if (!names.test(args[0]?.slice(1) ?? '')) return []
      return entries.flatMap(({ key, args: [value = ''] }) => {
        const pattern = mapPattern(key)
        return pattern === undefined || isPart(value, pattern) ? [] : [pattern]
      })
    case 'valid_referers':
      // What follows the name is the path of the page, so the end of the name is what has to be said.
      return args.flatMap((arg) => (arg.startsWith('~') && !endsName(arg.slice(1)) ? [arg.slice(1)] : []))
    case 'if': {
      const condition = conditionOf(statement)
      if (!condition || !names.test(condition.variable)) return []
      const { variable, pattern } = condition
      return variable === 'http_referer' && endsName(pattern) ? [] : [pattern]
    }
    default:
      return []
  }
}

/** Whether a value is made of what the regular expression takes out of the text: then it cuts the text and judges nothing. */
function isPart(value: string, pattern: string): boolean {
  const used = variablesIn(value)
  return groupsOf(pattern).some(({ name }, at) => used.includes(name ?? '') || used.includes(String(at + 1)))
}

function endsName(pattern: string): boolean {
  return (
    isAnchored(pattern).start &&
    /(\/|\(\/\|\$\)|\(\?:\/\|\$\)|\(:\|\/\|\$\))/.test(pattern.replace(/^\^?(\(\?[a-z]+\))?(https?\??|\(http\|https\))?:\/\//, ''))
  )
}
