import { found, type LintFinding } from './finding.ts'
import { inForce, type Scope, statementsOf } from './scope.ts'
import type { Statement } from './statement.ts'

const rule = {
  severity: 'warning',
  code: 'header_redefinition',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/addheaderredefinition.md',
} as const

/**
 * One `add_header` in an `if` drops those of every level around it for the requests that the condition meets. Locations are
 * rendered with all headers in full, so there it cannot happen.
 */
export function headerRedefinition(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return [...statementsOf(scope)].flatMap(({ statement, location }) => {
    if (statement.name !== 'add_header' || statement.within.length === 0) return []
    const kept = new Set(headersIn(statement.within.at(-1)!, location?.statements ?? scope.statements))
    const lost = [...inForce(scope, location)].filter((each) => each.name === 'add_header' && each.within.length === 0)
    const names = new Set(lost.flatMap(({ args }) => args[0] ?? []).filter((name) => !kept.has(name.toLowerCase())))
    if (scope.host.tls?.hsts && !kept.has('strict-transport-security')) names.add('Strict-Transport-Security')
    if (names.size === 0) return []
    const reason = `where this "if" holds, the headers of the levels around it are not sent: ${[...names].join(', ')}`
    const fix = 'repeat them inside the "if", or set the header everywhere with a value from a map that is empty where it is not wanted'
    return [found(rule, scope.object, statement.field, reason, fix)]
  })
}

function headersIn(block: Statement, statements: readonly Statement[]): string[] {
  return statements.flatMap(({ name, within, args }) => (name === 'add_header' && within.at(-1) === block ? [args[0]!.toLowerCase()] : []))
}
