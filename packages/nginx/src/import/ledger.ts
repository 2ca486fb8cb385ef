import type { ImportLine } from '@nxmesh/model/import'
import type { SourceDirective } from './source.ts'

export type Entry = Pick<ImportLine, 'outcome' | 'object' | 'field' | 'message'>

/** What became of each directive. A directive that nobody spoke for is left out, and said to be. */
export type Ledger = Map<SourceDirective, Entry>

/** Says the same of a directive and of everything in its block. */
export function noteWhole(ledger: Ledger, directive: SourceDirective, entry: Entry): void {
  ledger.set(directive, entry)
  for (const child of directive.block ?? []) noteWhole(ledger, child, entry)
}

/** One line for each directive, in the order of reading. */
export function linesOf(ledger: Ledger, directives: readonly SourceDirective[]): ImportLine[] {
  return directives.flatMap((directive) => {
    const { file, line, column, head, block } = directive
    const entry = ledger.get(directive) ?? { outcome: 'left_out', message: 'is not known here' }
    return [{ file, line, column, directive: head, ...entry }, ...linesOf(ledger, block ?? [])]
  })
}
