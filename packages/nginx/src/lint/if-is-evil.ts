import { found, type LintFinding } from './finding.ts'
import type { Scope } from './scope.ts'

const rule = {
  severity: 'warning',
  code: 'if_is_evil',
  source: 'https://github.com/nginxinc/nginx-wiki/blob/master/source/start/topics/depth/ifisevil.rst',
} as const

// They act while the URI is rewritten, before the "if" could become the location of the request.
const safe = new Set(['return', 'rewrite', 'set', 'break'])

/** A matching `if` in a location becomes a location of its own: what it does not set or inherit, such as `try_files`, is gone. */
export function ifIsEvil(scope: Scope): LintFinding[] {
  if (scope.kind === 'settings') return []
  return scope.locations.flatMap(({ statements }) =>
    statements.flatMap((block) => {
      if (block.name !== 'if') return []
      const inside = statements.filter(({ within }) => within.at(-1) === block)
      const ends = inside.some(({ name, args }) => name === 'return' || (name === 'rewrite' && args.length > 2))
      if (ends) return []
      const evil = [...new Set(inside.flatMap(({ name }) => (safe.has(name) ? [] : [name])))]
      const lost = statements.filter(({ name, within }) => within.length === 0 && name === 'try_files').map(({ name }) => name)
      if (evil.length === 0 && lost.length === 0) return []
      const what = lost.length > 0 ? `"${lost[0]}" does not act` : `only "${evil.join('", "')}" and what is inherited holds`
      const reason = `where this condition is met the "if" takes the place of the location: ${what}, and of several such blocks only the last counts`
      return [
        found(
          rule,
          scope.object,
          block.field,
          reason,
          'use a map for the value, a location of its own, or an "if" that ends in return or "rewrite … last"',
        ),
      ]
    }),
  )
}
