import { found, type LintFinding } from './finding.ts'
import type { LocationScope, Scope } from './scope.ts'
import type { Statement } from './statement.ts'

const rule = {
  severity: 'warning',
  code: 'dropped_inheritance',
  source: 'https://nginx.org/en/docs/http/ngx_http_core_module.html#error_page',
} as const

/** Directives that nginx inherits all or none of: one on a level drops everything from the levels around it. */
const families = [
  { names: ['error_page'], what: 'error pages' },
  { names: ['allow', 'deny'], what: 'access rules' },
  { names: ['limit_req'], what: 'request limits' },
  { names: ['limit_conn'], what: 'connection limits' },
  { names: ['fastcgi_param'], what: 'FastCGI parameters' },
] as const

/** A location that sets an error page, or lets an address in, loses those of its virtual host. */
export function droppedInheritance(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  const { locations, outer } = scope
  return families.flatMap(({ names, what }) => {
    const pick = (statements: readonly Statement[]) =>
      statements.filter(({ name, within }) => within.length === 0 && (names as readonly string[]).includes(name))
    const holding = (around: (readonly Statement[])[]) => around.map(pick).find((each) => each.length > 0) ?? []
    const levels = [
      { own: scope.statements, around: [outer.statements] },
      ...locations.map((location) => ({
        own: location.statements,
        around: [...levelsAround(location), scope.statements, outer.statements],
      })),
    ]
    return levels.flatMap(({ own, around }) => {
      const mine = pick(own)
      const lost = holding(around).filter((each) => !mine.some(({ args }) => args.join(' ') === each.args.join(' ')))
      if (mine.length === 0 || lost.length === 0 || saysAll(mine)) return []
      const reason = `drops the ${what} of the levels around it: ${lost.map(({ name, args }) => `${name} ${args.join(' ')}`).join(', ')}`
      return [found(rule, scope.object, mine[0]!.field, reason, `repeat here what shall hold here, or move it all to one level`)]
    })
  })
}

/** Who lets everybody in, or nobody, means to leave nothing of what holds around it. */
function saysAll([first, ...others]: readonly Statement[]): boolean {
  return others.length === 0 && (first?.name === 'allow' || first?.name === 'deny') && first.args[0] === 'all'
}

function levelsAround({ outer }: LocationScope): (readonly Statement[])[] {
  return outer ? [outer.statements, ...levelsAround(outer)] : []
}
