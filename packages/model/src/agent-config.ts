import type { Labels } from './labels.ts'
import type { Settings } from './settings.ts'
import { targetTest } from './target-agents.ts'
import type { Upstream, UpstreamInput } from './upstream.ts'
import type { VirtualHost, VirtualHostInput } from './virtual-host.ts'

export type ConfigVirtualHost = Omit<VirtualHostInput, 'target_agents'> & { id: string }
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
  upstreams: Upstream[]
  settings: Settings
}

/** The virtual hosts of a workspace that an agent with these labels serves, in order of creation. */
export function virtualHostsOf(config: WorkspaceConfig, agent: { id: string; labels: Labels }): VirtualHost[] {
  return config.virtual_hosts.filter((host) => targetTest(host.target_agents)(agent))
}

/** What an agent that serves these virtual hosts must run: the hosts, the upstreams they use and the settings. */
export function agentConfig(config: WorkspaceConfig, hosts: VirtualHost[]): AgentConfig {
  const used = new Set(hosts.flatMap((host) => host.locations.flatMap((location) => location.upstream_id ?? [])))
  return {
    virtual_hosts: hosts.map(toConfigVirtualHost),
    upstreams: config.upstreams.filter((upstream) => used.has(upstream.id)).map(toConfigUpstream),
    certificates: {},
    settings: config.settings,
  }
}

function toConfigVirtualHost(host: VirtualHost): ConfigVirtualHost {
  const { workspace_id: _workspace, target_agents: _target, created_at: _created, updated_at: _updated, ...rest } = host
  return rest
}

function toConfigUpstream(upstream: Upstream): ConfigUpstream {
  const { workspace_id: _workspace, created_at: _created, updated_at: _updated, ...rest } = upstream
  return rest
}
