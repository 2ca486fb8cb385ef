import type { SourceDirective } from './source.ts'
import { everything } from './text.ts'

/** The locations of a server that nginx takes and that no request reaches, with the reason. */
export function unreachedLocations(block: readonly SourceDirective[]): Map<SourceDirective, string> {
  const seen = new Set<string>()
  const unreached = new Map<SourceDirective, string>()
  const odd = rewritesToOddPaths(block)
  for (const directive of block) {
    if (directive.name !== 'location') continue
    const [, modifier, pattern = ''] = /^(~\*?|=|\^~)? ?(.*)$/s.exec(directive.args.join(' ')) ?? []
    if (modifier?.startsWith('~')) {
      const key = `${modifier} ${pattern}`
      if (seen.has(key)) unreached.set(directive, 'is never reached: an earlier location has the same regular expression')
      seen.add(key)
    } else if (!/^[/@]/.test(pattern) && !odd) {
      unreached.set(directive, 'is never reached: the path of a request begins with a slash')
    }
  }
  return unreached
}

/** Tells whether a path within the server may come to begin with something else than a slash. */
function rewritesToOddPaths(block: readonly SourceDirective[]): boolean {
  for (const { name, args } of everything(block)) {
    const path = name === 'rewrite' ? args[1] : name === 'try_files' ? args.at(-1) : undefined
    if (path !== undefined && !/^([/@=]|https?:|\$(scheme|(document_|request_)?uri)\b)/.test(path)) return true
  }
  return false
}
