import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'access_after_return',
  source: 'https://nginx.org/en/docs/dev/development_guide.html#http_phases',
} as const

const checks = /^(allow|deny|auth_basic|auth_request|limit_req|limit_conn)$/

/** `return` answers while the URI is rewritten, before nginx limits requests or asks who may. */
export function accessAfterReturn(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return [scope, ...scope.locations].flatMap(({ statements }) => {
    const own = statements.filter(({ within }) => within.length === 0)
    if (!own.some(({ name }) => name === 'return')) return []
    const dead = own.filter(({ name, args }) => checks.test(name) && args[0] !== 'off')
    return dead.map(({ name, field }) => {
      const reason = `"${name}" never acts: "return" beside it answers before access and limits are looked at`
      return found(
        rule,
        scope.object,
        field,
        reason,
        'answer from a location that the check can guard, as with try_files or an upstream, or drop the check',
      )
    })
  })
}
