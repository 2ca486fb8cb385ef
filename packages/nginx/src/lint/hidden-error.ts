import { hiddenErrors } from '../check-status-codes.ts'
import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'hidden_error',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#error_page',
} as const

/** An `error_page` that turns an error into a success: clients, caches and monitors take the page for what was asked. */
export function hiddenError(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement: { name, args, field } }) => {
    const reason = hiddenErrors(name, args)
    return reason === undefined ? [] : [found(rule, scope.object, field, reason, 'leave "=" and its status out')]
  })
}
