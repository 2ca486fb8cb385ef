import type { AgentConfig } from '@nxmesh/model/agent-config'

/** The addresses of host names (in lower case), sorted; an empty list for a name that stands for none. */
export type ResolvedNames = Readonly<Record<string, readonly string[]>>

/** The name in the address of a server of an upstream, in lower case; undefined for an IP address or a socket. */
export function nameIn(address: string): string | undefined {
  const host = /^([^:[\]]+)(:\d+)?$/.exec(address)?.[1]
  return host === undefined || /^\d+(\.\d+){3}$/.test(host) ? undefined : host.toLowerCase()
}

/**
 * The name that nginx must resolve to load a `proxy_pass` or `grpc_pass`; undefined where there is none. Source: nginx proxy module,
 * "proxy_pass"; grpc module, "grpc_pass".
 */
export function nameInPass(address: string): string | undefined {
  const authority = /^(?:http|grpc)s?:\/\/([^/?$]+)(?:[/?][^$]*)?$/.exec(address)?.[1]
  return authority === undefined || authority.startsWith('unix:') ? undefined : nameIn(authority)
}

type Naming = Pick<AgentConfig, 'upstreams' | 'virtual_hosts'> & Partial<Pick<AgentConfig, 'settings'>>

/**
 * Every name that a config needs resolved, each once. A `proxy_pass` may name an upstream block of the settings, and in include mode
 * one of the host.
 */
export function namesOf({ upstreams, virtual_hosts, settings }: Naming, mode: 'owned' | 'include'): string[] {
  const servers = upstreams.flatMap((upstream) => upstream.servers.map(({ address }) => nameIn(address)))
  const locations = mode === 'owned' ? virtual_hosts.flatMap((host) => host.locations) : []
  const proxies = locations.map(({ proxy_pass, grpc_pass }) => nameInPass(proxy_pass ?? grpc_pass ?? ''))
  const blocks = new Set(settings?.extra_directives?.map((text) => /^\s*upstream\s+["']?([^\s"'{]+)/.exec(text)?.[1]?.toLowerCase()))
  const named = [...servers, ...proxies.filter((name) => !blocks.has(name))]
  return [...new Set(named.filter((name): name is string => name !== undefined && name !== ''))].sort()
}

/** The address of a server as files say it: with each address of its name where those are known, as nginx itself would use them. */
export function writtenAddresses(address: string, names: ResolvedNames | undefined): string[] {
  const name = nameIn(address)
  const known = name === undefined ? undefined : names?.[name]
  if (!known) return [address]
  const port = /:\d+$/.exec(address)?.[0] ?? ''
  return known.map((ip) => (ip.includes(':') ? `[${ip}]${port}` : `${ip}${port}`))
}

/** The names of a config with what files say in their place; those that are not known stand there themselves. */
export function namesInFiles(config: Naming, names: ResolvedNames = {}): ResolvedNames {
  return Object.fromEntries(namesOf(config, 'owned').flatMap((name) => (names[name] ? [[name, names[name]]] : [])))
}
