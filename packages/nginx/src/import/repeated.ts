import type { SourceDirective } from './source.ts'

/** The locations with a regular expression that an earlier one of the block has, too: nginx takes them, and never reaches them. */
export function repeatedLocations(block: readonly SourceDirective[]): Set<SourceDirective> {
  const seen = new Set<string>()
  const repeated = new Set<SourceDirective>()
  for (const directive of block) {
    if (directive.name !== 'location') continue
    const [, modifier, pattern] = /^(~\*?) ?(.*)$/s.exec(directive.args.join(' ')) ?? []
    if (modifier === undefined) continue
    const key = `${modifier} ${pattern}`
    if (seen.has(key)) repeated.add(directive)
    seen.add(key)
  }
  return repeated
}
