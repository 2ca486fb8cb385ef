import { found, type LintFinding } from './finding.ts'
import { luaCode } from './lua-code.ts'
import { anyFromRequest } from './lua-sinks.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'error',
  code: 'cross_site_scripting',
  source: 'https://cheatsheetseries.owasp.org/cheatsheets/Cross_Site_Scripting_Prevention_Cheat_Sheet.html',
} as const

/** Lua that writes what a link says between tags: a link to this site then runs a script in it. */
export function crossSiteScripting(scope: Scope): LintFinding[] {
  return luaCode(scope).flatMap((code) =>
    anyFromRequest(code, ['ngx.say', 'ngx.print'])
      .filter(({ value, strings }) => value.inLink && value.decoded && strings.some((text) => /<[a-z!]/i.test(text)))
      .map(({ name, value }) => {
        const reason = `${name} writes ${value.text} between tags as it came, which is in the link: a script in it runs in the page`
        return found(rule, scope.object, code.field, reason, 'write & < > " and \' of it as entities, or answer with JSON')
      }),
  )
}
