import type { Node } from './read-config.ts'

/** A block of the configuration whose settings hold for a request, and the one around it that it inherits from. */
export interface Level {
  kind: 'http' | 'server' | 'location' | 'if' | 'limit_except'
  node: Node | undefined
  children: readonly Node[]
  parent: Level | undefined
}

/** The directives of these names of the nearest level that has any: how nginx inherits, never mixing two levels. */
export function inherited(level: Level | undefined, ...names: string[]): Node[] {
  for (let at = level; at; at = at.parent) {
    const own = at.children.filter((node) => names.includes(node.name))
    if (own.length > 0) return own
  }
  return []
}

/** The one directive of a name that holds at a level. */
export function setting(level: Level | undefined, name: string): Node | undefined {
  return inherited(level, name).at(-1)
}

/** Whether a directive that is `on` or `off` is on. */
export function isOn(level: Level | undefined, name: string, otherwise: boolean): boolean {
  const node = setting(level, name)
  if (!node) return otherwise
  return node.args[0]?.toLowerCase() === 'on'
}

/** The location that a level is, or is inside of: `if` and `limit_except` have none of their own. */
export function locationOf(level: Level): Level | undefined {
  for (let at: Level | undefined = level; at; at = at.parent) if (at.kind === 'location') return at
  return undefined
}

/** A directive that hands requests on or answers them, as a location or a block without a name in it has it. */
export function handlerOf(level: Level): Node | undefined {
  const own = level.children.filter((node) => handlers.has(node.name)).at(-1)
  if (own) return own
  return (level.kind === 'if' || level.kind === 'limit_except') && level.parent ? handlerOf(level.parent) : undefined
}

/** Directives that answer a request instead of files. */
const handlers = new Set([
  'proxy_pass',
  'fastcgi_pass',
  'uwsgi_pass',
  'scgi_pass',
  'grpc_pass',
  'memcached_pass',
  'stub_status',
  'empty_gif',
  'mp4',
  'flv',
  'hls',
  'f4f',
  'perl',
  'js_content',
  'content_by_lua_block',
  'content_by_lua_file',
  'content_by_lua',
  'echo',
])
