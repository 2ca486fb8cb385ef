import { found, type LintFinding } from './finding.ts'
import { luaCode } from './lua-code.ts'
import { firstFromRequest } from './lua-sinks.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'error',
  code: 'internal_location',
  source: 'https://github.com/openresty/lua-nginx-module#ngxlocationcapture',
} as const

/** Lua that goes on in the location that the client names: `internal` and access rules by path keep nobody out of it. */
export function internalLocation(scope: Scope): LintFinding[] {
  return luaCode(scope).flatMap((code) =>
    firstFromRequest(code, ['ngx.exec', 'ngx.location.capture'], /^\/?$/).map(({ name, value }) => {
      const reason = `${name} goes to the location that ${value.text} names, which the client chooses: it reaches those that are internal, too`
      return found(rule, scope.object, code.field, reason, 'begin with the path of a location, or choose among known ones with a table')
    }),
  )
}
