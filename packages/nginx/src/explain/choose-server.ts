import type { Effort } from '../pcre/match.ts'
import { regexOf } from '../pcre/regex.ts'
import type { Listen } from './listen.ts'
import type { Node } from './read-config.ts'
import type { Server } from './servers.ts'
import { Unsure } from './unsure.ts'

/** Why a server answers: by which kind of name, or as the default of the address. */
export type ServerReason = 'exact_name' | 'leading_wildcard' | 'trailing_wildcard' | 'regex_name' | 'default_server' | 'first_server'

export interface ChosenServer {
  server: Server
  reason: ServerReason
  /** The name that matched. */
  name: string | undefined
  node: Node | undefined
  /** What the groups of a name by regular expression took. */
  groups: (string | undefined)[] | undefined
  names: ReadonlyMap<string, number>
}

/** The servers of one socket, in the order of the files. */
export interface Socket {
  address: string
  ssl: boolean
  proxyProtocol: boolean
  servers: { server: Server; listen: Listen }[]
}

/** The socket that a connection to a port is accepted on: one for its address goes before the wildcard. */
export function chooseSocket(
  servers: readonly Server[],
  port: number,
  source: string,
  destination: string | undefined,
): Socket | undefined {
  const v6 = (destination ?? source).includes(':')
  const here = servers
    .flatMap((server) => server.listens.map((listen) => ({ server, listen })))
    .filter(({ listen }) => listen.port === port)
  const named = here.find(({ listen }) => listen.family === 'unknown')
  if (named) throw new Unsure(`nginx asks for the addresses of "${named.listen.address}" when it starts`, named.listen.node)
  // One listen says for all of its address whether it takes IPv4, too.
  const takingV4 = new Set(here.flatMap(({ listen }) => (listen.takesV4 ? listen.address : [])))
  const usable = here.filter(({ listen }) => (v6 ? listen.family === 6 : takingV4.has(listen.address)))
  const families = usable.some(({ listen }) => listen.family === 4) && !v6 ? usable.filter(({ listen }) => listen.family === 4) : usable
  const addresses = [...new Set(families.map(({ listen }) => listen.address))]
  const wildcard = v6 ? '[::]' : addresses.includes('*') ? '*' : '[::]'
  const specific = addresses.filter((address) => address !== wildcard)
  let address: string | undefined
  if (specific.length === 0) address = addresses[0]
  else if (destination === undefined) {
    if (addresses.length > 1) throw new Unsure(`which address was connected to: port ${port} has ${addresses.join(', ')}`)
    address = addresses[0]
  } else address = specific.find((other) => bare(other) === bare(destination)) ?? addresses.find((other) => other === wildcard)
  if (address === undefined) return undefined
  const on = families.filter(({ listen }) => listen.address === address)
  return {
    address,
    ssl: on.some(({ listen }) => listen.ssl),
    proxyProtocol: on.some(({ listen }) => listen.proxyProtocol),
    servers: on,
  }
}

const bare = (address: string) => address.replace(/^\[|\]$/g, '').toLowerCase()

/** The server that answers for a name on a socket: exact, longest wildcard before, longest after, first expression, else the default. Source: nginx, "Server names". */
export function chooseServer(socket: Socket, host: string, effort: Effort): ChosenServer {
  const entries = socket.servers.flatMap(({ server }) => server.names.map((entry) => ({ server, ...entry })))
  const chosen = (reason: ServerReason, entry: (typeof entries)[number] | undefined): ChosenServer | undefined =>
    entry && { server: entry.server, reason, name: entry.name, node: entry.node, groups: undefined, names: new Map() }
  const exact = entries.findIndex(({ name }) => name === host || (name.startsWith('.') && name.slice(1) === host))
  const own = entries.findIndex(({ name }) => name === '$hostname')
  if (own !== -1 && (exact === -1 || own < exact) && host !== '')
    throw new Unsure("whether this is the host's own name, which a server has", entries[own]!.node)
  if (host !== '' && exact !== -1) return chosen('exact_name', entries[exact])!
  if (host === '')
    return (
      chosen(
        'exact_name',
        entries.find(({ name }) => name === ''),
      ) ?? defaultOf(socket)
    )
  const before = longest(
    entries,
    ({ name }) => headOf(name),
    (tail) => host.endsWith(tail) && host.length > tail.length,
  )
  const after = longest(
    entries,
    ({ name }) => tailOf(name),
    (head) => host.startsWith(head) && host.length > head.length,
  )
  return chosen('leading_wildcard', before) ?? chosen('trailing_wildcard', after) ?? byRegex(entries, host, effort) ?? defaultOf(socket)
}

const headOf = (name: string) => (name.startsWith('*.') ? name.slice(1) : name.startsWith('.') ? name : undefined)
const tailOf = (name: string) => (name.endsWith('.*') && !name.startsWith('~') ? name.slice(0, -1) : undefined)

function longest<T>(entries: readonly T[], partOf: (entry: T) => string | undefined, fits: (part: string) => boolean): T | undefined {
  let found: { entry: T; length: number } | undefined
  for (const entry of entries) {
    const part = partOf(entry)
    if (part !== undefined && fits(part) && part.length > (found?.length ?? 0)) found = { entry, length: part.length }
  }
  return found?.entry
}

function byRegex(
  entries: readonly { server: Server; name: string; node: Node | undefined }[],
  host: string,
  effort: Effort,
): ChosenServer | undefined {
  for (const { server, name, node } of entries) {
    if (!name.startsWith('~')) continue
    const pattern = name.slice(1)
    const regex = regexOf(pattern, /[A-Z]/.test(pattern))
    const found = regex.match(host, effort)
    if (found.kind === 'unsure') throw new Unsure(found.why, node)
    if (found.kind === 'match') return { server, reason: 'regex_name', name, node, groups: found.groups, names: regex.names }
  }
  return undefined
}

/** The default of a socket: the one that says so, else the first. */
export function defaultOf(socket: Socket): ChosenServer {
  const said = socket.servers.find(({ listen }) => listen.isDefault)
  const { server, listen } = said ?? socket.servers[0]!
  const reason = said ? 'default_server' : 'first_server'
  return { server, reason, name: undefined, node: said ? listen.node : server.level.node, groups: undefined, names: new Map() }
}
