import type { Statement } from './custom-directives.ts'
import type { ConfigWriter } from './writer.ts'

/**
 * Writes the error pages of the outer levels, innermost first, after those that a level has of its own: nginx would drop the inherited
 * ones, and takes the first page that is given for a status.
 */
export function writeInheritedErrorPages(
  writer: ConfigWriter,
  own: ReadonlyMap<string, Statement>,
  outer: readonly Statement[],
  indent: string,
): void {
  if (!own.has('error_page')) return
  for (const { name, text } of outer) if (name === 'error_page') writer.lines(indent + text)
}
