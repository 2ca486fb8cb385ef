import type { Effort } from '../pcre/match.ts'
import type { ChosenServer } from './choose-server.ts'
import type { HostHeader } from './host-header.ts'
import { isOn } from './level.ts'
import { locationsOf } from './locations.ts'
import type { Config } from './servers.ts'
import { variableOf } from './variables.ts'
import { capture, type Incoming, note, type Visit } from './visit.ts'

/** A request that has just met its server. */
export function begin(
  config: Config,
  incoming: Incoming,
  { chosen, host, effort }: { chosen: ChosenServer; host: HostHeader; effort: Effort },
): Visit {
  const level = chosen.server.level
  const visit: Visit = {
    config,
    incoming: { ...incoming, headers: usableHeaders(incoming, chosen) },
    server: chosen.server,
    locations: locationsOf(level),
    level,
    host: host.ok ? host.name : '',
    method: incoming.method,
    source: incoming.source,
    uri: incoming.path,
    args: '',
    unparsed: incoming.path,
    unparsedHolds: true,
    locationHolds: true,
    uriAfterAlias: false,
    sentAway: false,
    quoted: 'no',
    plus: false,
    internal: false,
    uriChanged: false,
    changesLeft: 11,
    captures: [],
    variables: new Map(),
    variable: (name, node) => variableOf(visit, name, node),
    handler: undefined,
    errorStatus: 0,
    errorPageTaken: false,
    bodyDropped: false,
    read: true,
    effort,
    steps: [],
    assumptions: [],
    cautions: [],
  }
  note(visit, 'server', words[chosen.reason](chosen.name ?? '', incoming.port), chosen.node)
  if (chosen.groups) capture(visit, chosen.names, chosen.groups)
  return visit
}

const words: Record<ChosenServer['reason'], (name: string, port: number) => string> = {
  exact_name: (name) => `the server has the name "${name}"`,
  leading_wildcard: (name) => `"${name}" is the longest wildcard that fits, and no server has the name itself`,
  trailing_wildcard: (name) =>
    `"${name}" is the longest wildcard that fits, and neither the name nor one with a wildcard before it is there`,
  regex_name: (name) => `"${name}" is the first regular expression that fits, and no name or wildcard does`,
  default_server: (_, port) => `no server on port ${port} has this name: its default_server answers`,
  first_server: (_, port) => `no server on port ${port} has this name and none is its default_server: the first of the file answers`,
}

function usableHeaders({ headers, host }: Incoming, { server }: ChosenServer): Incoming['headers'] {
  const underscores = isOn(server.level, 'underscores_in_headers', false)
  const all = !isOn(server.level, 'ignore_invalid_headers', true)
  return new Map(
    [...headers, ['host', [host]] as const].filter(([name]) => all || (underscores ? /^[a-z0-9_-]+$/ : /^[a-z0-9-]+$/).test(name)),
  )
}
