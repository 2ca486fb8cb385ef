import { found, type LintFinding } from './finding.ts'
import { luaCode } from './lua-code.ts'
import { callsOf } from './lua-expression.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'blocking_lua',
  source: 'https://github.com/openresty/lua-nginx-module#description',
} as const

const outside = /^(init|init_worker|exit_worker)_by_lua/
const waiting = ['os.execute', 'io.popen']
const libraries = /^(socket\.(http|smtp|ftp)|ssl\.https|luasql\..+)$/

/** Lua that waits for something outside of nginx in the middle of a request: until it is there, the worker answers nobody. */
export function blockingLua(scope: Scope): LintFinding[] {
  return luaCode(scope).flatMap(({ directive, field, tokens }) => {
    if (outside.test(directive)) return []
    const calls = [...callsOf(tokens, new Set(waiting)), ...callsOf(tokens, new Set(['require'])).filter(isLibrary)]
    return [...new Set(calls.map(({ name, args }) => (name === 'require' ? `the library "${args[0]![0]!.text}"` : name)))].map((what) => {
      const reason = `${what} waits without giving way: until it is done, this worker of nginx answers no other request`
      return found(rule, scope.object, field, reason, 'use what gives way: ngx.pipe for commands, lua-resty-http and its kin for requests')
    })
  })
}

function isLibrary({ args }: { args: readonly (readonly { kind: string; text: string }[])[] }): boolean {
  const [first] = args[0] ?? []
  return first?.kind === 'string' && libraries.test(first.text)
}
