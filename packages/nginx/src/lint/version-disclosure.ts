import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'info',
  code: 'version_disclosure',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#server_tokens',
} as const

/** The version of nginx in each answer tells a scanner what to try. */
export function versionDisclosure(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    if (name !== 'server_tokens' || (args[0] !== 'on' && args[0] !== 'build')) return []
    const reason = 'every answer and error page names the version of nginx'
    return [found(rule, scope.object, field, reason, 'leave it out: it is off unless it is turned on')]
  })
}
