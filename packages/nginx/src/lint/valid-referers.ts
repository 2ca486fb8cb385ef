import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'valid_referers_none',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/validreferers.md',
} as const

/** Any page can keep browsers from sending a Referer, and so pass for one that has none. */
export function validReferersNone(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    if (name !== 'valid_referers' || !args.includes('none')) return []
    const reason = '"none" lets every request without a Referer pass, and any page can see to it that none is sent'
    return [found(rule, scope.object, field, reason, 'leave out "none", and do not rest security on the Referer')]
  })
}
