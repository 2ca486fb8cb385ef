import type { Labels } from './labels.ts'
import type { WorkspaceCertificate } from './served-certificate.ts'
import { parseServerNames } from './server-name.ts'
import type { Settings } from './settings.ts'
import type { StreamHost, StreamHostInput } from './stream-host.ts'
import { targetTest } from './target-agents.ts'
import type { Upstream, UpstreamInput } from './upstream.ts'
import type { VirtualHost, VirtualHostInput } from './virtual-host.ts'

export type ConfigVirtualHost = Omit<VirtualHostInput, 'target_agents'> & { id: string }
export type ConfigStreamHost = Omit<StreamHostInput, 'target_agents'> & { id: string }
export type ConfigUpstream = UpstreamInput & { id: string }

export interface ConfigCertificate {
  id: string
  domain: string
  certificate_pem: string
  private_key_pem: string
  /** Seconds since the epoch. */
  expires_at: number
}

/** Everything one agent must run. Two agents with equal values run equal bytes. */
export interface AgentConfig {
  virtual_hosts: ConfigVirtualHost[]
  /** Absent where there is none. */
  stream_hosts?: ConfigStreamHost[]
  upstreams: ConfigUpstream[]
  certificates: Record<string, ConfigCertificate>
  /** By host name in lower case: the thumbprint of the ACME account whose HTTP-01 challenges for it are answered (RFC 8555 section 8.3). Absent where there is none. */
  acme_thumbprints?: Record<string, string>
  settings: Settings
}

/** The resources of a workspace at one version, each list in order of creation. */
export interface WorkspaceConfig {
  version: number
  virtual_hosts: VirtualHost[]
  stream_hosts: StreamHost[]
  upstreams: Upstream[]
  certificates: WorkspaceCertificate[]
  settings: Settings
}

/** What one agent serves. */
export interface ServedHosts {
  virtual_hosts: readonly VirtualHost[]
  stream_hosts: readonly StreamHost[]
}

/** The virtual hosts and stream hosts of a workspace that an agent with these labels serves, in order of creation. */
export function hostsOf(config: ServedHosts, agent: { id: string; labels: Labels }): ServedHosts {
  return filterHosts(config, ({ target_agents }) => targetTest(target_agents)(agent))
}

/** The hosts of either kind that a test is true of. */
export function filterHosts({ virtual_hosts, stream_hosts }: ServedHosts, test: (host: VirtualHost | StreamHost) => boolean): ServedHosts {
  return { virtual_hosts: virtual_hosts.filter(test), stream_hosts: stream_hosts.filter(test) }
}

/**
 * What an agent that serves these hosts must run: the hosts, the upstreams and certificates they use, the challenges that may
 * come to it, and the settings. `openKey` decrypts a private key.
 */
export function agentConfig(config: WorkspaceConfig, hosts: ServedHosts, openKey: (sealed: string) => string): AgentConfig {
  const used = usedUpstreams(hosts)
  const thumbprints = thumbprintsFor(config, hosts.virtual_hosts)
  return {
    virtual_hosts: hosts.virtual_hosts.map(forAgents),
    ...(hosts.stream_hosts.length === 0 ? {} : { stream_hosts: hosts.stream_hosts.map(forAgents) }),
    upstreams: config.upstreams.filter((upstream) => used.has(upstream.id)).map(toConfigUpstream),
    certificates: certificatesOf(config, hosts, openKey),
    ...(Object.keys(thumbprints).length === 0 ? {} : { acme_thumbprints: thumbprints }),
    settings: config.settings,
  }
}

/** The ids of the upstreams that hosts send to. */
export function usedUpstreams({ virtual_hosts, stream_hosts }: ServedHosts): Set<string> {
  const locations = virtual_hosts.flatMap((host) => host.locations)
  return new Set([...locations, ...stream_hosts].flatMap(({ upstream_id }) => upstream_id ?? []))
}

/** The ids of the certificates that hosts show. */
export function usedCertificates({ virtual_hosts, stream_hosts }: ServedHosts): Set<string> {
  return new Set([...virtual_hosts, ...stream_hosts].flatMap((host) => (host.ssl_enabled ? (host.ssl_certificate_id ?? []) : [])))
}

function certificatesOf(config: WorkspaceConfig, hosts: ServedHosts, openKey: (sealed: string) => string) {
  const used = usedCertificates(hosts)
  const found: AgentConfig['certificates'] = {}
  for (const { id, name, certificate_pem, sealed_key, expires_at } of config.certificates) {
    if (!used.has(id) || certificate_pem === null || sealed_key === null) continue
    const expires = Math.floor(Date.parse(expires_at ?? '') / 1000)
    found[id] = { id, domain: name, certificate_pem, private_key_pem: openKey(sealed_key), expires_at: expires }
  }
  return found
}

// A name that no virtual host of the workspace has may be sent to any agent: it is answered for before there is a host for it.
function thumbprintsFor({ certificates, virtual_hosts }: WorkspaceConfig, hosts: readonly VirtualHost[]): Record<string, string> {
  const asking = certificates.filter(({ thumbprint }) => thumbprint !== null)
  if (asking.length === 0) return {}
  const [here, anywhere] = [namesOf(hosts), namesOf(virtual_hosts)]
  const using = new Set(hosts.map((host) => host.ssl_certificate_id))
  const found = new Map<string, string>()
  for (const { id, names, thumbprint } of asking) {
    for (const name of names) if (using.has(id) || here.has(name) || !anywhere.has(name)) found.set(name, thumbprint!)
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

function namesOf(hosts: readonly VirtualHost[]): Set<string> {
  return new Set(
    hosts.flatMap(({ server_name }) => {
      const parsed = parseServerNames(server_name)
      return parsed.ok ? parsed.names : []
    }),
  )
}

function forAgents<T extends VirtualHost | StreamHost>(host: T) {
  const { workspace_id: _workspace, target_agents: _target, created_at: _created, updated_at: _updated, ...rest } = host
  return rest
}

function toConfigUpstream(upstream: Upstream): ConfigUpstream {
  const { workspace_id: _workspace, created_at: _created, updated_at: _updated, ...rest } = upstream
  return rest
}
