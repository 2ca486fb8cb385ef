import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import { inForce, type Scope } from './scope.ts'
import { variablesIn } from './variables.ts'

const rule = {
  severity: 'warning',
  code: 'missing_resolver',
  source: 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass',
} as const

/** A name that comes out of a variable is looked up for each request, and nginx asks no name server but the one it is told of. */
export function missingResolver(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return scope.locations.flatMap((location) =>
    location.statements.flatMap((statement) => {
      const authority = passesTo(statement)?.authority ?? ''
      const [name] = variablesIn(authority)
      // An address needs none, whatever its port.
      if (name === undefined || /^(\d+(\.\d+){3}|\[[^\]]*\])(:|$)/.test(authority)) return []
      if ([...inForce(scope, location)].some((each) => each.name === 'resolver')) return []
      const reason = `the server follows from $${name}, and there is no resolver to look names up: such requests are answered with 502`
      const fix = 'set "resolver" in the location, the virtual host or the settings, or name an upstream'
      return [found(rule, scope.object, statement.field, reason, fix)]
    }),
  )
}
