import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'lua_code_cache',
  source: 'https://github.com/openresty/lua-nginx-module#lua_code_cache',
} as const

/** Without its cache every request reads and compiles its Lua anew, and nothing that a module keeps stays. */
export function luaCodeCache(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    if (name !== 'lua_code_cache' || args[0] !== 'off') return []
    const reason = 'all Lua is read and compiled anew for each request, and what its modules keep between requests is lost'
    return [found(rule, scope.object, field, reason, 'leave it on where users are served; reload nginx after a change')]
  })
}
