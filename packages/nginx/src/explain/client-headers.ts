import type { ExplainedHeader } from '@nxmesh/model/explanation'
import { inherited, type Level, setting } from './level.ts'
import { type PlaceOf, text } from './places.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { valueOrNull } from './upstream-headers.ts'
import type { Visit } from './visit.ts'

// Source: nginx headers module, "add_header".
const added = new Set([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])

/** The headers that `add_header` gives the client with this status; where the status is not known, all with how they depend on it. */
export function responseHeaders(visit: Visit, status: number | undefined, placeOf: PlaceOf): ExplainedHeader[] {
  const given = addedAt(visit.level).flatMap((node): ExplainedHeader[] => {
    const always = node.args[2] === 'always'
    if (!always && status !== undefined && !added.has(status)) return []
    const value = valueOrNull(() => valueNow(visit, node))
    if (value === '') return []
    return [{ name: text(node.args[0]!), value, from: 'directive', only_if_status: !always && status === undefined, place: placeOf(node) }]
  })
  return status !== undefined && !added.has(status) ? given : [...given, ...expiry(visit, status, placeOf)]
}

// Of a request that it does not read to its end nginx knows but a part.
function valueNow(visit: Visit, node: Node): string {
  const value = node.args[1] ?? ''
  if (!visit.read && value.includes('$')) throw new Unsure('what nginx knows of a request that it refuses', node)
  return expand(visit, value, node)
}

function addedAt(level: Level): Node[] {
  const how = setting(level, 'add_header_inherit')?.args[0]
  if (how === 'merge') {
    const above = level.parent ? addedAt(level.parent) : []
    return [...above, ...level.children.filter(({ name }) => name === 'add_header')]
  }
  if (how === 'off') return level.children.filter(({ name }) => name === 'add_header')
  return inherited(level, 'add_header')
}

// Source: nginx headers module, "expires".
function expiry(visit: Visit, status: number | undefined, placeOf: PlaceOf): ExplainedHeader[] {
  const node = setting(visit.level, 'expires')
  if (!node) return []
  const value = node.args.length === 1 ? valueOrNull(() => valueNow(visit, { ...node, args: ['', node.args[0]!] })) : null
  if (value === 'off') return []
  const common = { from: 'directive', only_if_status: status === undefined, place: placeOf(node) } as const
  return [
    { name: 'Expires', value: null, ...common },
    { name: 'Cache-Control', value: value === null ? null : cacheControl(value), ...common },
  ]
}

function cacheControl(value: string): string | null {
  if (value === 'epoch' || value.startsWith('-')) return 'no-cache'
  if (value === 'max') return 'max-age=315360000'
  const seconds = /^(\d+)s?$/.exec(value)
  return seconds ? `max-age=${seconds[1]}` : null
}
