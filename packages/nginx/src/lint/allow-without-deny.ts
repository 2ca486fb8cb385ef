import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'allow_without_deny',
  source: 'https://nginx.org/en/docs/http/ngx_http_access_module.html',
} as const

/** Whom no rule names may enter: `allow` alone keeps nobody out. A level with rules of its own does not inherit any. */
export function allowWithoutDeny(scope: Scope): LintFinding[] {
  const levels = scope.kind === 'settings' ? [scope] : [scope, ...scope.locations]
  return levels.flatMap(({ statements }) => {
    const rules = statements.filter(({ name, within }) => (name === 'allow' || name === 'deny') && within.length === 0)
    const allowed = rules.find(({ name, args }) => name === 'allow' && args[0] !== 'all')
    if (!allowed || rules.some(({ name }) => name === 'deny')) return []
    const reason = `"allow ${allowed.args[0]}" keeps nobody out: addresses that no rule names may enter`
    return [found(rule, scope.object, allowed.field, reason, 'add "deny all" beside it')]
  })
}
