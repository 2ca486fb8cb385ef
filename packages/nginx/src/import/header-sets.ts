import { type Header, header } from '@nxmesh/model/location'
import { ourOwnHeaders } from '../check-location.ts'
import type { SourceDirective } from './source.ts'

/** The headers that directives set at the levels of a configuration. nginx takes those of the innermost level that sets any. */
export interface HeaderLevels {
  add_header: readonly SourceDirective[]
  proxy_set_header: readonly SourceDirective[]
}

/** What holds in a block: its own where it has any, else what it inherits, for each kind. Source: nginx, headers and proxy modules. */
export function headersWithin(directives: readonly SourceDirective[], inherited: HeaderLevels): HeaderLevels {
  const own = (name: keyof HeaderLevels) => {
    const found = directives.filter((directive) => directive.name === name)
    return found.length > 0 ? found : inherited[name]
  }
  return { add_header: own('add_header'), proxy_set_header: own('proxy_set_header') }
}

/** The custom header that says what a directive says, or undefined where none can. */
export function customHeader({ name, args }: SourceDirective): Header | undefined {
  const [field = '', written = '', always] = args
  // A header has one line: what people write over several is one for every browser.
  const value = written.replace(/\s*[\r\n]\s*/g, ' ')
  if (args.length < 2 || args.length > 3 || (always !== undefined && (always !== 'always' || name !== 'add_header'))) return undefined
  if (name === 'add_header' && ourOwnHeaders.has(field.toLowerCase())) return undefined
  const direction = name === 'add_header' ? ('response' as const) : ('request' as const)
  const read = header.safeParse({ name: field, value, always: always === 'always', direction })
  return read.success ? read.data : undefined
}

/**
 * Where nginx forgets the headers of a server because a location sets others, NxMesh adds the two: each that was forgotten is then
 * set to nothing, which sends none.
 */
export function forgotten(inherited: HeaderLevels, own: HeaderLevels): SourceDirective[] {
  const set = new Set(own.add_header.map(({ args }) => args[0]?.toLowerCase()))
  return inherited.add_header
    .filter(({ args }) => !set.has(args[0]?.toLowerCase()))
    .map((directive) => ({ ...directive, args: [directive.args[0] ?? '', ''], head: `add_header ${directive.args[0]} ""` }))
}
