import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'external_resolver',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#resolver',
} as const

const address = /^(?:\[([0-9a-fA-F:.]+)\]|(\d{1,3}(?:\.\d{1,3}){3}))(?::\d+)?$/
// Loopback, link-local and private addresses. Source: RFC 6890.
const own = /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|::1$|f[cd]|fe[89ab])/i

/** Answers of name servers come unauthenticated: whoever is on the way to one outside decides where requests go. */
export function externalResolver(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    if (name !== 'resolver') return []
    const outside = args.filter((arg) => {
      const [, ipv6, ipv4] = address.exec(arg) ?? []
      const ip = ipv6 ?? ipv4
      return ip !== undefined && !own.test(ip)
    })
    if (outside.length === 0) return []
    const reason = `asks ${outside.join(', ')}, outside of this network, where requests go: forged answers lead them elsewhere`
    return [found(rule, scope.object, field, reason, 'ask a name server on the host or in its network, as the one in /etc/resolv.conf')]
  })
}
