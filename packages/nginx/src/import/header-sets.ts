import { type Header, header } from '@nxmesh/model/location'
import { ourOwnHeaders } from '../check-location.ts'
import { mayRepeat } from '../header-direction.ts'
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
  const value = onOneLine(written)
  if (args.length < 2 || args.length > 3 || (always !== undefined && (always !== 'always' || name !== 'add_header'))) return undefined
  if (name === 'add_header' && ourOwnHeaders.has(field.toLowerCase())) return undefined
  const direction = name === 'add_header' ? ('response' as const) : ('request' as const)
  const read = header.safeParse({ name: field, value, always: always === 'always', direction })
  return read.success ? read.data : undefined
}

/** The value of a header without its line breaks and tabs: what people write over several lines is one for every browser. */
export function onOneLine(value: string): string {
  return value.replace(/\s*[\r\n\t]\s*/g, ' ')
}

/**
 * The headers of a location that sets any. Where nginx then forgets those of the server, NxMesh adds the two: each that was forgotten
 * is set to nothing, which sends none, and what may be repeated first.
 */
export function headersOf(inherited: HeaderLevels, own: HeaderLevels): SourceDirective[] {
  const nameOf = ({ args }: SourceDirective) => args[0]?.toLowerCase() ?? ''
  const set = new Set(own.add_header.map(nameOf))
  const gone = [...new Map(inherited.add_header.map((directive) => [nameOf(directive), directive])).values()]
  const [repeated, single] = [gone.filter((each) => mayRepeat(nameOf(each))), gone.filter((each) => !mayRepeat(nameOf(each)))]
  return [...toNothing(repeated), ...own.add_header, ...toNothing(single.filter((each) => !set.has(nameOf(each))))]
}

function toNothing(directives: readonly SourceDirective[]): SourceDirective[] {
  return directives.map((directive) => ({ ...directive, args: [directive.args[0] ?? '', ''], head: `add_header ${directive.args[0]} ""` }))
}
