import type { Finding } from '@nxmesh/model/agent'
import type { ServedHosts, WorkspaceConfig } from '@nxmesh/model/agent-config'
import { portOf } from '@nxmesh/model/listen-address'
import type { Location } from '@nxmesh/model/location'
import { locationOptions, serverOptions, settingsOptions } from '@nxmesh/model/options'
import type { Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { decidesByLua } from '@nxmesh/nginx/lua-directives'
import { modulesOfHost, modulesOfSettings } from '@nxmesh/nginx/module-use'

/** Something that a config asks for and agents below a capability do not know of: they serve the rest as if it were not there. */
export interface Need {
  since: number
  finding: Finding
}

/** The capabilities from which on agents know what the published contract has not; see capability.ts. */
const knownSince = {
  tls: 1,
  header_directions: 1,
  options: 5,
  streams: 6,
  addresses: 7,
  lua: 8,
  proxyProtocol: 9,
  modules: 9,
  streamAddresses: 9,
  unixSockets: 9,
  mail: 10,
  streamSockets: 10,
} as const

/** An agent of this capability knows everything of a config. */
export const newestNeed = Math.max(...Object.values(knownSince))

type ConfigOfHosts = ServedHosts & Pick<WorkspaceConfig, 'settings'>

/**
 * For hosts that not every agent is given: the capability from which on one is. An agent that does not know what keeps people out of a host
 * would open it to them, and one that does not know of its kind would say that it serves it.
 */
export function givenSince({ virtual_hosts, stream_hosts, settings }: ConfigOfHosts): Map<VirtualHost | StreamHost, number> {
  const since = new Map<VirtualHost | StreamHost, number>(
    stream_hosts.map((host) => [host, Math.max(...needsOfStream(host).map((each) => each.since))]),
  )
  const guarded = modulesOfSettings(settings).some(({ name }) => decidesByLua(name))
  for (const host of virtual_hosts) {
    const guards = guardsOf(host).map((guard) => guard.since)
    if (guarded) guards.push(knownSince.lua)
    if (guards.length > 0) since.set(host, Math.max(...guards))
  }
  return since
}

/** What hosts and the settings ask of agents that not every agent knows. */
export function needsOf({ virtual_hosts, stream_hosts, settings }: ConfigOfHosts): Need[] {
  return [...virtual_hosts.flatMap(needsOfHost), ...stream_hosts.flatMap(needsOfStream), ...needsOfSettings(settings)]
}

function needsOfStream(host: StreamHost): Need[] {
  const { id, name, listen_addresses } = host
  const at = { kind: 'stream_host', id, name } as const
  return [
    need(knownSince.streams, { ...at, field: 'protocol' }, 'is left out'),
    ...(listen_addresses
      ? [
          need(
            portOf(host) === 0 ? knownSince.streamSockets : knownSince.streamAddresses,
            { ...at, field: 'listen_addresses' },
            'is left out, as it would be open to more than may come in',
          ),
        ]
      : []),
  ]
}

function needsOfHost(host: VirtualHost): Need[] {
  const { id, name, locations } = host
  const at = { kind: 'virtual_host', id, name } as const
  const guards = guardsOf(host)
  const needs = guards.map(({ field, since }) => need(since, { ...at, field }, 'is left out, as it would be open to more than may come in'))
  const ignored = (field: string, since: number): void => {
    if (!guards.some((guard) => guard.field === field)) needs.push(need(since, { ...at, field }, `${field} is ignored`))
  }
  for (const field of optionFields(host, serverOptions)) ignored(field, knownSince.options)
  if (host.tls) ignored('tls', knownSince.tls)
  for (const [index, location] of locations.entries()) {
    for (const field of optionFields(location, locationOptions)) ignored(`locations.${index}.${field}`, knownSince.options)
    for (const [header, { direction }] of location.custom_headers.entries())
      if (direction) ignored(`locations.${index}.custom_headers.${header}.direction`, knownSince.header_directions)
  }
  return needs
}

/** What keeps people out of a host, or could. */
function guardsOf(host: VirtualHost): { field: string; since: number }[] {
  const guards = [
    ...guardFields(host, ''),
    ...host.locations.flatMap((location, index) => guardFields(location, `locations.${index}.`)),
  ].map((field) => ({ field, since: knownSince.options as number }))
  if (host.listen_addresses)
    guards.push({ field: 'listen_addresses', since: portOf(host) === 0 ? knownSince.unixSockets : knownSince.addresses })
  if (host.accept_proxy_protocol) guards.push({ field: 'accept_proxy_protocol', since: knownSince.proxyProtocol })
  // What only nginx itself would stumble over stops all that the agent is to serve.
  for (const { field, module } of modulesOfHost(host)) guards.push({ field, since: knownSince[module === 'lua' ? 'lua' : 'modules'] })
  return guards
}

function guardFields({ access, auth_basic, extra_directives }: VirtualHost | Location, prefix: string): string[] {
  const fields = { access, auth_basic: auth_basic?.enabled, extra_directives: extra_directives?.length }
  return Object.entries(fields).flatMap(([field, guards]) => (guards ? [prefix + field] : []))
}

function needsOfSettings(settings: Settings): Need[] {
  const ignored = (field: string, since: number) => need(since, { kind: 'settings', field }, `${field} is ignored`)
  const own = (['tls_policy', 'http_port'] as const).filter((field) => settings[field] !== undefined)
  const deciding = modulesOfSettings(settings).filter(({ name }) => decidesByLua(name))
  return [
    ...optionFields(settings, settingsOptions).map((field) => ignored(field, knownSince.options)),
    ...own.map((field) => ignored(field, knownSince.tls)),
    ...(settings.mail_directives?.length ? [ignored('mail_directives', knownSince.mail)] : []),
    ...deciding.map(({ field }) =>
      need(knownSince.lua, { kind: 'settings', field }, 'no virtual host is served, as Lua decides on all requests'),
    ),
  ]
}

function optionFields(place: { extra_directives?: string[] | undefined }, options: object): string[] {
  const given = Object.entries(place).filter(([field, value]) => Object.hasOwn(options, field) && value !== undefined)
  return [...given.map(([field]) => field), ...(place.extra_directives?.length ? ['extra_directives'] : [])]
}

function need(since: number, at: Pick<Finding, 'kind' | 'id' | 'name' | 'field'>, what: string): Need {
  const message = `${what}: this release of the agent does not know it`
  return {
    since,
    finding: { severity: 'error', message, ...at, code: 'agent_too_old', fix: 'install the release of the master on its host' },
  }
}
