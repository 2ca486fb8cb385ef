import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import { inForce, type Scope } from './scope.ts'

const rule = {
  severity: 'info',
  code: 'missing_timeouts',
  source: 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_connect_timeout',
} as const

const wanted = ['connect', 'read'] as const

/** Nobody has said how long an upstream may take: nginx waits a minute for a connection, and another for each piece of the answer. */
export function missingTimeouts(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  const without = scope.locations.flatMap((location) => {
    const passing = location.statements.find((each) => passesTo(each) !== undefined)
    if (!passing) return []
    const set = new Set([...inForce(scope, location)].map(({ name }) => name))
    const protocol = passing.name.slice(0, -'_pass'.length)
    const missing = wanted.map((what) => `${protocol}_${what}_timeout`).filter((name) => !set.has(name))
    return missing.length === 0 ? [] : [{ field: passing.field, path: location.location.path, missing }]
  })
  const [first] = without
  if (!first) return []
  const others = without.length === 1 ? '' : ` and ${without.length - 1} more`
  const reason = `"${first.path}"${others} may hold a client up for as long as nginx's own timeouts say, which is 60 s each`
  const fix = `set ${first.missing.join(' and ')} in the virtual host or the settings to what the upstream needs`
  // Once for the virtual host: it is one decision.
  return [found(rule, scope.object, first.field, reason, fix)]
}
