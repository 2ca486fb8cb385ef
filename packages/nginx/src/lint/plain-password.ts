import { portOf } from '@nxmesh/model/listen-address'
import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'plain_http_password',
  source: 'https://nginx.org/en/docs/http/ngx_http_auth_basic_module.html',
} as const

/** HTTP Basic sends the password with every request, encoded and not encrypted. */
export function plainPassword(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings' || scope.host.ssl_enabled || portOf(scope.host) === 0) return []
  const asking = [...statementsOf(scope), ...scope.outer.statements.map((statement) => ({ statement }))]
  const first = asking.find(({ statement: { name, args } }) => name === 'auth_basic' && args[0] !== 'off')
  if (!first) return []
  const isOwn = !scope.outer.statements.includes(first.statement)
  const reason = `passwords for "${first.statement.args[0]}" cross the network readable: this virtual host speaks plain HTTP on port ${scope.host.listen_port}`
  return [
    found(
      rule,
      scope.object,
      isOwn ? first.statement.field : 'ssl_enabled',
      reason,
      'serve it over TLS, and redirect plain HTTP with tls.redirect_http',
    ),
  ]
}
