import type { Level } from './level.ts'
import { defaultListen, type Listen, listensOf } from './listen.ts'
import type { Node } from './read-config.ts'

export interface Server {
  level: Level
  listens: Listen[]
  /** The names of `server_name` in lower case, with the directive that holds each; one empty name where there is none. */
  names: { name: string; node: Node | undefined }[]
}

export interface Config {
  http: Level
  servers: Server[]
  upstreams: ReadonlyMap<string, Node>
  /** Whether some directive gives a variable a value: it is empty where that was not reached. */
  declares: (variable: string) => boolean
}

/** What requests meet in a configuration: its servers in the order of the files, and its upstreams. */
export function compileConfig(http: readonly Node[]): Config {
  const level: Level = { kind: 'http', node: undefined, children: http, parent: undefined }
  const servers = http.flatMap((node) => (node.name === 'server' && node.children ? [serverFrom(node, node.children, level)] : []))
  const upstreams = http.flatMap((node) => (node.name === 'upstream' ? [[node.args[0]?.toLowerCase() ?? '', node] as const] : []))
  let declared: Set<string> | undefined
  const declares = (variable: string) => {
    if (!declared) declare(http, (declared = new Set()))
    return declared.has(variable)
  }
  return { http: level, servers, upstreams: new Map(upstreams), declares }
}

function declare(nodes: readonly Node[], declared: Set<string>): void {
  for (const { name, args, children } of nodes) {
    if (name === 'set') declared.add(args[0]?.slice(1).toLowerCase() ?? '')
    for (const text of [name, ...args])
      for (const [, group] of text.matchAll(/\(\?P?[<']([A-Za-z_]\w*)[>']/g)) declared.add(group!.toLowerCase())
    if (children) declare(children, declared)
  }
}

function serverFrom(node: Node, children: Node[], http: Level): Server {
  const level: Level = { kind: 'server', node, children, parent: http }
  const listens = children.flatMap((child) => (child.name === 'listen' ? listensOf(child) : []))
  const named = children.filter((child) => child.name === 'server_name')
  const names = named.flatMap((child) =>
    child.args.map((name) => ({ name: name.startsWith('~') ? name : name.toLowerCase(), node: child })),
  )
  return {
    level,
    listens: children.some((child) => child.name === 'listen') ? listens : [defaultListen(node)],
    names: names.length > 0 ? names : [{ name: '', node: undefined }],
  }
}
