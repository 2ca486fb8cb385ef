import type { Finding } from '@nxmesh/model/agent'
import type { ServedHosts, WorkspaceConfig } from '@nxmesh/model/agent-config'
import { locationOptions, serverOptions, settingsOptions } from '@nxmesh/model/options'
import type { Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { VirtualHost } from '@nxmesh/model/virtual-host'

/** Something that a config asks for and agents below a capability do not know of: they serve the rest as if it were not there. */
export interface Need {
  since: number
  finding: Finding
}

/** The capabilities from which on agents know what the published contract has not; see capability.ts. */
const knownSince = { tls: 1, header_directions: 1, options: 5, streams: 6, addresses: 7 } as const

/** An agent of this capability knows everything of a config. */
export const newestNeed = Math.max(...Object.values(knownSince))

/**
 * Whether an agent must not be given a host at all: it would open to everybody what is meant for one address, or say that it serves what it
 * does not know of.
 */
export function isWithheld(host: VirtualHost | StreamHost, capability: number): boolean {
  if ('protocol' in host) return capability < knownSince.streams
  return host.listen_addresses !== undefined && capability < knownSince.addresses
}

/** What hosts and the settings ask of agents that not every agent knows. */
export function needsOf({ virtual_hosts, stream_hosts, settings }: ServedHosts & Pick<WorkspaceConfig, 'settings'>): Need[] {
  return [...virtual_hosts.flatMap(needsOfHost), ...stream_hosts.map(needOfStream), ...needsOfSettings(settings)]
}

function needOfStream({ id, name }: StreamHost): Need {
  return need(knownSince.streams, { kind: 'stream_host', id, name, field: 'protocol' }, 'is left out')
}

function needsOfHost(host: VirtualHost): Need[] {
  const { id, name, locations } = host
  const at = { kind: 'virtual_host', id, name } as const
  const ignored = (field: string, since: number): Need => need(since, { ...at, field }, `${field} is ignored`)
  const needs = optionFields(host, serverOptions).map((field) => ignored(field, knownSince.options))
  if (host.tls) needs.push(ignored('tls', knownSince.tls))
  for (const [index, location] of locations.entries()) {
    const fields = optionFields(location, locationOptions)
    needs.push(...fields.map((field) => ignored(`locations.${index}.${field}`, knownSince.options)))
    for (const [header, { direction }] of location.custom_headers.entries())
      if (direction) needs.push(ignored(`locations.${index}.custom_headers.${header}.direction`, knownSince.header_directions))
  }
  if (!host.listen_addresses) return needs
  const reason = 'is left out, as it would be open to all addresses'
  return [...needs, need(knownSince.addresses, { ...at, field: 'listen_addresses' }, reason)]
}

function needsOfSettings(settings: Settings): Need[] {
  const own = (['tls_policy', 'http_port'] as const).filter((field) => settings[field] !== undefined)
  const ignored = (field: string, since: number) => need(since, { kind: 'settings', field }, `${field} is ignored`)
  return [
    ...optionFields(settings, settingsOptions).map((field) => ignored(field, knownSince.options)),
    ...own.map((field) => ignored(field, knownSince.tls)),
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
