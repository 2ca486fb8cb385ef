import { parse } from './parse.ts'

const parameters = new Set(['default', 'hostnames', 'volatile'])

/** The keys of a `map`, given as the whole statement, that nginx keeps in its hash: all but regular expressions, in the lower case that they are compared in. */
export function hashedKeys(text: string): string[] {
  const parsed = parse(text)
  const map = parsed.ok ? parsed.tree.directives[0] : undefined
  const block = map?.block
  if (map?.name !== 'map' || block?.kind !== 'directives') return []
  return block.directives.flatMap(({ name }) =>
    parameters.has(name) || name.startsWith('~') ? [] : [name.replace(/^\\/, '').toLowerCase()],
  )
}

/** The first key that a `map` has twice, which nginx refuses. Source: nginx, ngx_http_map. */
export function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>()
  return hashedKeys(text).find((key) => seen.size === seen.add(key).size)
}
