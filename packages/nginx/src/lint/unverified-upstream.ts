import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import { inForce, type Scope } from './scope.ts'

const rule = {
  severity: 'info',
  code: 'unverified_upstream',
  source: 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_ssl_verify',
} as const

/** Unless it is told to, nginx takes any certificate from an upstream: whoever is on the way may answer in its place. */
export function unverifiedUpstream(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return scope.locations.flatMap((location) => {
    const passing = location.statements.find((each) => passesTo(each) !== undefined)
    const protocol = /^(proxy|grpc|uwsgi)_pass$/.exec(passing?.name ?? '')?.[1]
    if (!passing || protocol === undefined || !/^(https|grpcs|suwsgi):/.test(passing.args[0] ?? '')) return []
    const verify = `${protocol}_ssl_verify`
    if ([...inForce(scope, location)].find(({ name }) => name === verify)?.args[0] === 'on') return []
    const reason = 'the certificate of the upstream is not looked at: whoever is on the way may answer in its place'
    const fix = `set ${verify} on and ${protocol}_ssl_trusted_certificate to the certificates of its CA`
    return [found(rule, scope.object, passing.field, reason, fix)]
  })
}
