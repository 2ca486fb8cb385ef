import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'
import type { Statement } from './statement.ts'

const rule = {
  severity: 'warning',
  code: 'access_after_return',
  source: 'https://nginx.org/en/docs/dev/development_guide.html#http_phases',
} as const

const checks = /^(allow|deny|auth_basic|auth_request|limit_req|limit_conn)$/

/** `return` answers while the URI is rewritten, before nginx limits requests or asks who may. */
export function accessAfterReturn(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  const fix = 'answer from a location that the check can guard, as with try_files or an upstream, or drop the check'
  const ofServer = [...new Set(checksIn(scope.statements).map(({ name }) => name))].join(' and ')
  return [scope, ...scope.locations].flatMap((level) => {
    const answer = level.statements.find(({ name, within }) => name === 'return' && within.length === 0)
    if (!answer) return []
    const dead = checksIn(level.statements)
    if (level !== scope && dead.length === 0 && ofServer !== '') {
      const reason = `answers before nginx comes to ${ofServer} of the virtual host`
      return [found(rule, scope.object, answer.field, reason, fix)]
    }
    return dead.map(({ name, field }) => {
      const reason = `"${name}" never acts: "return" beside it answers before access and limits are looked at`
      return found(rule, scope.object, field, reason, fix)
    })
  })
}

function checksIn(statements: readonly Statement[]): Statement[] {
  return statements.filter(({ name, args, within }) => within.length === 0 && checks.test(name) && args[0] !== 'off')
}
