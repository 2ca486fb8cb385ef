import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'
import { variablesIn } from './variables.ts'

const rule = {
  severity: 'warning',
  code: 'host_spoofing',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/hostspoofing.md',
} as const

const chosen = /^(http_.+|arg_.+|cookie_.+)$/

/** The upstream believes the Host header. `$host` is the name by which nginx chose the virtual host, the header itself may say anything. */
export function hostSpoofing(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement }) => {
    const [name = '', value = ''] = statement.args
    if (!/^(proxy|grpc)_set_header$/.test(statement.name) || name.toLowerCase() !== 'host') return []
    const variable = variablesIn(value).find((each) => chosen.test(each))
    if (variable === undefined) return []
    const reason = `the upstream is told the Host of $${variable}: with a whole address in its request line a client reaches this virtual host by one name and shows the upstream another`
    return [found(rule, scope.object, statement.field, reason, 'use $host, or leave the header out: $host is what is sent then')]
  })
}
