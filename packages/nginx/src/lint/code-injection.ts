import { found, type LintFinding } from './finding.ts'
import { luaCode } from './lua-code.ts'
import { anyFromRequest } from './lua-sinks.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'error',
  code: 'code_injection',
  source: 'https://cheatsheetseries.owasp.org/cheatsheets/Injection_Prevention_Cheat_Sheet.html',
} as const

const running = ['load', 'loadstring', 'os.execute', 'io.popen']

/** Lua or a command that is made of what the client says. */
export function codeInjection(scope: Scope): LintFinding[] {
  return luaCode(scope).flatMap((code) =>
    anyFromRequest(code, running).map(({ name, value }) => {
      const reason = `${name} runs what ${value.text} says, which the client chooses: it runs anything it likes as the user of nginx's workers`
      return found(rule, scope.object, code.field, reason, 'run nothing that a request holds: choose among known functions with a table')
    }),
  )
}
