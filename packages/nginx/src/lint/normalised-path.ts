import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'info',
  code: 'normalised_path',
  source: 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass',
} as const

/** With a path in its address nginx sends the decoded and normalised URI: `%2F` arrives as `/`, `/a/../b` as `/b`. */
export function normalisedPath(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return scope.locations.flatMap(({ location: { proxy_pass }, modifier, field }) => {
    if ((modifier !== '' && modifier !== '^~') || proxy_pass === undefined || proxy_pass.includes('$')) return []
    if (!/^https?:\/\/(unix:[^:]*:|[^/?]*[/?])/.test(proxy_pass)) return []
    const reason = 'the path in the address makes nginx decode and normalise what it sends on: "%2F" arrives as "/" and "%25" as "%"'
    const fix = 'leave the path out if the upstream tells encoded characters apart, and let it serve the path of the location'
    return [found(rule, scope.object, `${field}.proxy_pass`, reason, fix)]
  })
}
