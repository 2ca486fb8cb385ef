import { dataBlocks } from '../data-blocks.ts'
import { quote } from '../quote.ts'
import { type HeaderLevels, headersWithin, onOneLine } from './header-sets.ts'
import type { Entry, Ledger } from './ledger.ts'
import { replacedBecause } from './replaced.ts'
import type { SourceDirective } from './source.ts'

/**
 * A directive that is kept as it is, blocks and all, but for what NxMesh does by itself. Request headers that a location in it
 * inherits are written into that location: what it inherits here is what NxMesh sends.
 */
export function spelledOut(directive: SourceDirective, inherited: HeaderLevels): SourceDirective {
  const { name, block } = directive
  if (!block) return headers.has(name) ? headerOnOneLine(directive) : directive
  if (dataBlocks.has(name)) return directive
  const children = block.filter((child) => replacedBecause(child.name, child.args) === undefined)
  const levels = headersWithin(children, inherited)
  const missing = name === 'location' ? missingHeaders(directive, children, inherited) : []
  return { ...directive, block: [...missing, ...children.map((child) => spelledOut(child, levels))] }
}

const headers: ReadonlySet<string> = new Set<keyof HeaderLevels>(['add_header', 'proxy_set_header'])

function headerOnOneLine(directive: SourceDirective): SourceDirective {
  const args = directive.args.map(onOneLine)
  if (args.every((value, at) => value === directive.args[at])) return directive
  return { ...directive, args, head: [directive.name, ...args.map(quote)].join(' ') }
}

/** Says of a directive that was kept, and of all in it, what became of it. */
export function noteKept(ledger: Ledger, directive: SourceDirective, entry: Entry): void {
  const because = replacedBecause(directive.name, directive.args)
  ledger.set(directive, because === undefined ? entry : { outcome: 'replaced', message: because })
  const data = dataBlocks.has(directive.name)
  for (const child of directive.block ?? []) {
    if (data) ledger.set(child, entry)
    else noteKept(ledger, child, entry)
  }
}

/** What nginx sends where nothing is set. Source: nginx proxy module, "proxy_set_header". */
const unset = [
  ['Host', '$proxy_host'],
  ['Connection', 'close'],
]

function missingHeaders(
  directive: SourceDirective,
  children: readonly SourceDirective[],
  inherited: HeaderLevels,
): readonly SourceDirective[] {
  const has = (wanted: string) => children.some(({ name }) => name === wanted)
  if (!has('proxy_pass') || has('proxy_set_header')) return []
  return sentHeaders(directive, inherited.proxy_set_header)
}

/** The request headers that are set, or nginx's own where none is. */
export function sentHeaders({ file, line, column }: SourceDirective, set: readonly SourceDirective[]): readonly SourceDirective[] {
  if (set.length > 0) return set
  return unset.map((args) => ({ file, line, column, name: 'proxy_set_header', args, head: `proxy_set_header ${args.join(' ')}` }))
}
