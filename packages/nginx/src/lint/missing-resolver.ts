import { found, type LintFinding } from './finding.ts'
import { addressIn, passesTo } from './passing.ts'
import { type HostScope, inForce, type Scope } from './scope.ts'
import { valuesOf, variablesIn } from './variables.ts'

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
      const values = /^\$\{?\w+\}?$/.test(authority) ? valuesOf(name, { scope, location }) : []
      if (values.length > 0 && values.every((value) => needsNoLookup(value, scope))) return []
      const reason = `the server follows from $${name}, and there is no resolver to look names up: such requests are answered with 502`
      const fix = 'set "resolver" in the location, the virtual host or the settings, or name an upstream'
      return [found(rule, scope.object, statement.field, reason, fix)]
    }),
  )
}

/** Whether a value is an address, or the name of an upstream of the settings: nginx knows these by itself. */
function needsNoLookup(value: string, { outer }: HostScope): boolean {
  const server = addressIn(value).authority
  const isAddress = /^(\d+(\.\d+){3}|\[[^\]]*\])(:\d+)?$|^unix:/.test(server)
  return isAddress || outer.statements.some(({ name, args }) => name === 'upstream' && args[0]?.toLowerCase() === server.toLowerCase())
}
