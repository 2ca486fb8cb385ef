import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'late_header_rule',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#underscores_in_headers',
} as const

const ofThePort = new Set(['underscores_in_headers', 'ignore_invalid_headers'])

/** Rules for headers that a virtual host sets for itself. With TLS the client names the host in the handshake, before any header. */
export function lateHeaderRule(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings' || scope.host.ssl_enabled) return []
  const late = scope.statements.filter(({ name }) => ofThePort.has(name))
  const reason = 'holds only for headers that come after Host, as nginx does not know before which host is meant'
  return late.map(({ field }) => found(rule, scope.object, field, reason, 'set it in nginx_directives of the settings'))
}
