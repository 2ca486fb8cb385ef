import { found, type LintFinding } from './finding.ts'
import { type Scope, statementsOf } from './scope.ts'

const rule = {
  severity: 'error',
  code: 'alias_traversal',
  source: 'https://github.com/yandex/gixy/blob/master/docs/en/plugins/aliastraversal.md',
} as const

/** nginx puts what follows the prefix behind the alias: `/files../secret` becomes `/data/files/../secret`. */
export function aliasTraversal(scope: Scope): LintFinding[] {
  return [...statementsOf(scope)].flatMap(({ statement, location }) => {
    const [folder] = statement.args
    if (statement.name !== 'alias' || folder === undefined || !location) return []
    const { modifier, pattern } = location
    if ((modifier !== '' && modifier !== '^~') || pattern.endsWith('/') || !folder.endsWith('/')) return []
    const reason = `a request for "${pattern}../" reads files beside "${folder}": the location ends without "/", the alias with one`
    return [found(rule, scope.object, statement.field, reason, `end the location with "/" as well: "${pattern}/"`)]
  })
}
