import { found, type LintFinding } from './finding.ts'
import { luaCode } from './lua-code.ts'
import { firstFromRequest } from './lua-sinks.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'error',
  code: 'open_redirect',
  source: 'https://cheatsheetseries.owasp.org/cheatsheets/Unvalidated_Redirects_and_Forwards_Cheat_Sheet.html',
} as const

/** Lua that redirects to where a link says: a link to this site then leads to any other. */
export function openRedirect(scope: Scope): LintFinding[] {
  return luaCode(scope).flatMap((code) =>
    firstFromRequest(code, ['ngx.redirect'], /^(\/|(https?:)?\/\/[^/?#]*)?$/i)
      .filter(({ value }) => value.inLink)
      .map(({ value }) => {
        const reason = `ngx.redirect leads to where ${value.text} says, which is in the link: a link to this site leads to any other`
        return found(
          rule,
          scope.object,
          code.field,
          reason,
          'redirect to paths that the code itself names, or choose among known ones with a table',
        )
      }),
  )
}
