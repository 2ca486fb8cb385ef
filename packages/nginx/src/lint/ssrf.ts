import { found, type LintFinding } from './finding.ts'
import { passesTo } from './passing.ts'
import { type Scope, statementsOf } from './scope.ts'
import { chosenByClients } from './variables.ts'

const rule = {
  severity: 'error',
  code: 'ssrf',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/ssrf.md',
} as const

/** A client that decides where its request is sent reaches whatever this nginx reaches: databases, metadata services, other tenants. */
export function ssrf(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement, location }) => {
    const address = passesTo(statement)
    if (address === undefined) return []
    const chosen = chosenByClients(address.authority, { scope, statement, ...(location && { location }) })
    if (chosen.length === 0) return []
    const reason = `the server that requests are sent to follows from $${chosen[0]}, which the client chooses: it can reach any address that this nginx can`
    const fix = 'name the upstream, or choose among known ones with a map; where the name has to vary, match it with (a|b|c)'
    return [found(rule, scope.object, statement.field, reason, fix)]
  })
}
