import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'proxy_address',
  source: 'https://nginx.org/en/docs/http/ngx_http_realip_module.html',
} as const

/** Without a trusted proxy the address in the PROXY protocol is only for logs: rules and limits go by that of the proxy, one for all clients. */
export function proxyAddress(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings' || !scope.host.accept_proxy_protocol) return []
  const all = [...statementsOf(scope)].map(({ statement }) => statement)
  if ([...all, ...scope.outer.statements].some(({ name }) => name === 'set_real_ip_from')) return []
  const byAddress = all.find(
    ({ name, args, field }) =>
      ((name === 'allow' || name === 'deny') && args[0] !== 'all') || /(^|\.)(limit_req|limit_conn)(\.|$)/.test(field),
  )
  if (!byAddress) return []
  const reason = `"${byAddress.name}" goes by the address of the proxy in front, which is the same for all its clients`
  const fix = "list the proxy in accept_proxy_protocol.trusted, so that its word for the client's address is taken"
  return [found(rule, scope.object, byAddress.field, reason, fix)]
}
