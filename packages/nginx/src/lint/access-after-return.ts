import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'
import type { Statement } from './statement.ts'

const rule = {
  severity: 'warning',
  code: 'access_after_return',
  source: 'https://nginx.org/en/docs/dev/development_guide.html#http_phases',
} as const

const guards = /^(deny|auth_basic|auth_request|limit_req|limit_conn)$/

/** `return` answers while the URI is rewritten, before nginx limits requests or asks who may: what guards its level never acts there. */
export function accessAfterReturn(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  const inherited = [...guardsIn(scope.statements), ...guardsIn(scope.outer.statements)]
  return [scope, ...scope.locations].flatMap((level) => {
    const answer = level.statements.find(({ name, within }) => name === 'return' && within.length === 0)
    if (!answer) return []
    const own = guardsIn(level.statements)
    const findings = own.map(({ name, field }) => {
      const reason = `"${name}" never acts: "return" beside it answers before access and limits are looked at`
      return found(rule, scope.object, field, reason, fix)
    })
    const around = level === scope ? [] : inherited.filter(({ name }) => !own.some((each) => each.name === name))
    if (around.length === 0) return findings
    const names = [...new Set(around.map(({ name }) => `"${name}"`))].join(', ')
    const reason = `answers everybody: "return" comes before ${names} of the levels around it`
    return [...findings, found(rule, scope.object, answer.field, reason, fix)]
  })
}

const fix = 'answer from a location that can be guarded, as with files or an upstream, or take the guard away'

function guardsIn(statements: readonly Statement[]): Statement[] {
  return statements.filter(({ name, args, within }) => guards.test(name) && args[0] !== 'off' && within.length === 0)
}
