import { inherited, type Level, locationOf } from './level.ts'
import type { Node } from './read-config.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import type { Visit } from './visit.ts'

/** The folder that files are looked for in: what `root` or `alias` says. A relative one is left so: nginx puts its prefix before it. */
export function documentRoot(visit: Visit): string {
  const node = rootOf(visit.level)
  return node ? expand(visit, node.args[0]!, node) : 'html'
}

/** The file that the URI stands for. */
export function requestFilename(visit: Visit): string {
  if (!aliasOf(visit.level)) return fileFor(visit, visit.uri)
  if (visit.sentAway) throw new Unsure('what $request_filename holds after a redirect depends on the release of nginx')
  return visit.locationHolds ? fileFor(visit, visit.uri) : ''
}

/** The file that a path stands for here. Source: nginx, ngx_http_map_uri_to_path. */
export function fileFor(visit: Visit, uri: string): string {
  const root = documentRoot(visit)
  const alias = aliasOf(visit.level)
  if (!alias) return root + uri
  if (!alias.isRegex) return root + uri.slice(alias.name.length)
  return visit.uriAfterAlias ? root + uri : root
}

/** The path that an `alias` takes the place of, where one holds. */
export function aliasOf(level: Level): { name: string; isRegex: boolean } | undefined {
  const node = rootOf(level)
  if (node?.name !== 'alias') return undefined
  let owner: Level | undefined = level
  while (owner && !owner.children.includes(node)) owner = owner.parent
  const args = (owner && locationOf(owner))?.node?.args ?? []
  return { name: args.at(-1)?.replace(/^(=|\^~)/, '') ?? '', isRegex: args[0]?.startsWith('~') ?? false }
}

// nginx has one place for both.
function rootOf(level: Level): Node | undefined {
  return inherited(level, 'root', 'alias').at(-1)
}
