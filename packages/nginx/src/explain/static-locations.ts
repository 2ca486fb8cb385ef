import type { Location } from './locations.ts'

/** The exact and prefix locations of a block. */
export interface StaticLocations {
  exact: ReadonlyMap<string, Location>
  prefixes: ReadonlyMap<string, Location>
  /** Lengths of the prefixes, longest first. */
  lengths: readonly number[]
}

/** Gathers the exact and prefix locations of a block. */
export function staticLocations(all: readonly Location[]): StaticLocations {
  const byPath = (exact: boolean) =>
    new Map(all.filter(({ modifier }) => (modifier === '=') === exact).map((location) => [location.pattern, location]))
  const prefixes = byPath(false)
  const lengths = [...new Set([...prefixes.keys()].map((path) => path.length))].toSorted((a, b) => b - a)
  return { exact: byPath(true), prefixes, lengths }
}

export type StaticMatch = { kind: 'exact' | 'prefix' | 'redirect'; location: Location } | { kind: 'none' }

/** Searches for a URI. `redirect`: a location that hands requests on has this path with a slash after it. Source: nginx, ngx_http_core_find_static_location. */
export function searchStatic({ exact, prefixes, lengths }: StaticLocations, uri: string): StaticMatch {
  const whole = exact.get(uri)
  if (whole) return { kind: 'exact', location: whole }
  const same = prefixes.get(uri)
  if (same) return { kind: 'prefix', location: same }
  const slashed = [exact.get(`${uri}/`), prefixes.get(`${uri}/`)].filter((location) => location !== undefined)
  if (slashed.some(handsOn)) return { kind: 'redirect', location: slashed[0]! }
  for (const length of lengths) {
    const location = length < uri.length ? prefixes.get(uri.slice(0, length)) : undefined
    if (location) return { kind: 'prefix', location }
  }
  return { kind: 'none' }
}

const passes = new Set(['proxy_pass', 'fastcgi_pass', 'uwsgi_pass', 'scgi_pass', 'grpc_pass', 'memcached_pass'])

function handsOn({ level }: Location): boolean {
  return level.children.some(({ name }) => passes.has(name))
}
