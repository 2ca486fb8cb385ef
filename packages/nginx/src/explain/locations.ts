import { type Regex, regexOf } from '../pcre/regex.ts'
import type { Level } from './level.ts'
import type { Node } from './read-config.ts'
import { type StaticLocations, staticLocations } from './static-locations.ts'

type Modifier = '' | '=' | '^~' | '~' | '~*' | '@'

export interface Location {
  level: Level
  node: Node
  modifier: Modifier
  /** The path, expression or name without its modifier; a name keeps its "@". */
  pattern: string
  regex: Regex | undefined
  nested: LocationTree
}

/** The locations of a server or of one location, as nginx searches them. */
export interface LocationTree {
  static: StaticLocations
  /** In the order of the file. */
  regexes: readonly Location[]
  named: ReadonlyMap<string, Location>
}

/** Sorts the locations of a block by how they are matched. */
export function locationsOf(parent: Level): LocationTree {
  const all = parent.children.flatMap((node) =>
    node.name === 'location' && node.children ? [locationFrom(node, node.children, parent)] : [],
  )
  const of = (...modifiers: Modifier[]) => all.filter(({ modifier }) => modifiers.includes(modifier))
  return {
    static: staticLocations(of('', '=', '^~')),
    regexes: of('~', '~*'),
    named: new Map(of('@').map((location) => [location.pattern, location])),
  }
}

function locationFrom(node: Node, children: Node[], parent: Level): Location {
  const { modifier, pattern } = pathOf(node.args)
  const level: Level = { kind: 'location', node, children, parent }
  const regex = modifier === '~' || modifier === '~*' ? regexOf(pattern, modifier === '~*') : undefined
  return { level, node, modifier, pattern, regex, nested: locationsOf(level) }
}

/** A modifier may stand apart from the path or right before it. Source: nginx, ngx_http_core_location. */
function pathOf(args: readonly string[]): { modifier: Modifier; pattern: string } {
  const [first = '', second] = args
  if (second !== undefined) return { modifier: first as Modifier, pattern: second }
  const parts = /^(=|\^~|~\*|~)([^]*)$/.exec(first)
  if (parts) return { modifier: parts[1] as Modifier, pattern: parts[2]! }
  return { modifier: first.startsWith('@') ? '@' : '', pattern: first }
}
