import { regexOf } from '../pcre/regex.ts'
import { prefixHolding } from './addresses.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { matchAndCapture, type Visit } from './visit.ts'

/** What a `map` gives for the request as it is now; nginx keeps the first answer unless the map is volatile. Source: nginx map module. */
export function mapValue(visit: Visit, map: Node, name: string): string {
  const source = expand(visit, map.args[0]!, map)
  const entries = map.children ?? []
  const value = expand(visit, chosen(visit, map, entries, source), map)
  if (!entries.some((entry) => entry.name === 'volatile')) visit.variables.set(name, value)
  return value
}

const keyOf = (entry: Node) => entry.name.replace(/^\\/, '').toLowerCase()

function chosen(visit: Visit, map: Node, entries: readonly Node[], source: string): string {
  const low = source.toLowerCase()
  const withValue = entries.filter((entry) => entry.args.length === 1)
  const hostnames = entries.some((entry) => entry.name === 'hostnames' && entry.args.length === 0)
  const literal = (entry: Node) => entry.name !== 'default' && !entry.name.startsWith('~')
  const name = hostnames ? low.replace(/\.$/, '') : low
  const exact = withValue.find((entry) => literal(entry) && (keyOf(entry) === name || (hostnames && keyOf(entry) === `.${name}`)))
  if (exact) return exact.args[0]!
  if (hostnames && name !== '') {
    const longest = (fits: (key: string) => boolean) =>
      withValue.filter((entry) => literal(entry) && fits(keyOf(entry))).toSorted((a, b) => b.name.length - a.name.length)[0]
    const before = longest(
      (key) => /^\*?\./.test(key) && name.endsWith(key.replace(/^\*/, '')) && name.length > key.replace(/^\*/, '').length,
    )
    const after = longest((key) => key.endsWith('.*') && name.startsWith(key.slice(0, -1)) && name.length >= key.length)
    const wildcard = before ?? after
    if (wildcard) return wildcard.args[0]!
  }
  if (source !== '') {
    for (const entry of withValue) {
      if (!entry.name.startsWith('~')) continue
      const caseless = entry.name.startsWith('~*')
      const regex = regexOf(entry.name.slice(caseless ? 2 : 1), caseless)
      if (!matchAndCapture(visit, regex, source, entry)) continue
      if (/\$[1-9]/.test(entry.args[0]!)) return entry.args[0]!
      visit.captures = 'unknown'
      return entry.args[0]!
    }
  }
  const otherwise = withValue.find((entry) => entry.name === 'default')
  if (map.args[0] === '') throw new Unsure('a map without a source', map)
  return otherwise?.args[0] ?? ''
}

/** What a `geo` gives for the source address: the most precise network. Source: nginx geo module. */
export function geoValue(visit: Visit, geo: Node): string {
  const entries = geo.children ?? []
  const odd = entries.find((entry) => ['ranges', 'proxy', 'proxy_recursive', 'delete'].includes(entry.name))
  if (odd) throw new Unsure(`what "${odd.name}" does in a geo block`, odd)
  const address = geo.args.length === 2 ? expand(visit, geo.args[0]!, geo) : visit.source
  let found: { prefix: number; value: string } | undefined
  for (const { name, args } of entries) {
    const prefix = name === 'default' ? -1 : prefixHolding(name, address)
    if (prefix !== undefined && prefix >= (found?.prefix ?? -1)) found = { prefix, value: args[0] ?? '' }
  }
  return found?.value ?? ''
}
