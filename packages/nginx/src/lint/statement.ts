import type { Location } from '@nxmesh/model/location'
import { headerDirection } from '../header-direction.ts'
import { type Directive, parse } from '../parse.ts'

/** A directive as nginx reads it, and the field that it comes from. */
export interface Statement {
  name: string
  args: readonly string[]
  field: string
  /** The blocks of `if` and `limit_except` around it, outermost first. */
  within: readonly Statement[]
  /** What stands between the braces of a block of data, such as `map`. */
  entries: readonly { key: string; args: readonly string[] }[]
}

/** A statement that stands in no block of its own and holds none. */
export function statement(name: string, args: readonly string[], field: string): Statement {
  return { name, args, field, within: [], entries: [] }
}

const codeBlocks = new Set(['if', 'limit_except'])

/** Custom directives as statements, those inside an `if` after it; what is not one directive is left out, as it is not rendered either. */
export function customStatements(directives: Readonly<Record<string, string>>, path: string): Statement[] {
  return Object.entries(directives).flatMap(([name, value]) => {
    const text = `${name} ${value.trim()}`
    const parsed = parse(/[;}]$/.test(text) ? text : `${text};`)
    return parsed.ok ? parsed.tree.directives.flatMap((directive) => placed(directive, `${path}.${name}`, [])) : []
  })
}

/** A directive, and those inside it where they are directives too. */
export function placed(directive: Directive, field: string, within: readonly Statement[]): Statement[] {
  const { name, block } = directive
  const inner = block?.kind === 'directives' ? block.directives : []
  const isCode = codeBlocks.has(name)
  const entries = isCode ? [] : inner.map((entry) => ({ key: entry.name, args: entry.args.map(({ value }) => value) }))
  const self: Statement = { name, args: directive.args.map(({ value }) => value), field, within, entries }
  return [self, ...(isCode ? inner.flatMap((child) => placed(child, field, [...within, self])) : [])]
}

/** The custom headers of a location as the directives that they become. */
export function headerStatements(location: Location, field: string): Statement[] {
  const proxies = location.proxy_pass !== undefined || location.upstream_id !== undefined
  return location.custom_headers.flatMap((header, at) => {
    const direction = headerDirection(header, proxies)
    const path = `${field}.custom_headers.${at}.value`
    const always = header.always ? ['always'] : []
    return [
      ...(direction === 'response' ? [] : [statement('proxy_set_header', [header.name, header.value], path)]),
      ...(direction === 'request' ? [] : [statement('add_header', [header.name, header.value, ...always], path)]),
    ]
  })
}
