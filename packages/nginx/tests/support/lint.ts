import { streamHost } from '@nxmesh/model/stream-host'
import { upstream } from '@nxmesh/model/upstream'
import { virtualHost } from '@nxmesh/model/virtual-host'
import type { LintFinding } from '../../src/lint/finding.ts'
import type { LintAgent, LintCertificate } from '../../src/lint/subject.ts'
import { lint } from '../../src/lint.ts'
import { type ConfigDraft, configOf, id } from './config.ts'

/** When the rules look at a workspace of the tests. */
export const now = Date.parse('2026-03-01T00:00:00Z')

export interface LintDraft extends Omit<ConfigDraft, 'certificates'> {
  certificates?: Partial<LintCertificate>[]
  agents?: Partial<LintAgent>[]
}

type HostDraft = NonNullable<ConfigDraft['virtual_hosts']>[number]

/** What the rules find in a workspace, from what a user would write. Hosts are `id(1, …)`, upstreams `id(2, …)`, certificates `id(3, …)`, agents `id(4, …)`, stream hosts `id(6, …)`. */
export function lintOf(draft: LintDraft): LintFinding[] {
  const { certificates = [], agents = [{}], ...rest } = draft
  const config = configOf(rest)
  const made = { workspace_id: id(5, 1), created_at: '2026-01-01T00:00:00Z', updated_at: '2026-01-01T00:00:00Z' }
  return lint({
    ...made,
    virtual_hosts: config.virtual_hosts.map((host, at) =>
      virtualHost.parse({ ...host, ...made, target_agents: draft.virtual_hosts?.[at]?.target_agents ?? { type: 'all' } }),
    ),
    stream_hosts: (config.stream_hosts ?? []).map((host, at) =>
      streamHost.parse({ ...host, ...made, target_agents: draft.stream_hosts?.[at]?.target_agents ?? { type: 'all' } }),
    ),
    upstreams: config.upstreams.map((each) => upstream.parse({ ...each, ...made })),
    certificates: certificates.map((each, at) => ({
      id: id(3, at + 1),
      name: `c${at + 1}.test`,
      provider: 'letsencrypt',
      auto_renew: true,
      expires_at: '2026-12-01T00:00:00Z',
      ...each,
    })),
    settings: config.settings,
    agents: agents.map((agent, at) => ({ id: id(4, at + 1), name: `a${at + 1}`, labels: {}, ...agent })),
    now,
  })
}

/** A host named a.test on port 80 and with timeouts, so that nothing is found in it but what a test puts there. */
export function host(draft: Partial<HostDraft>): HostDraft {
  const { custom_directives = {}, ...rest } = draft
  const timeouts = { proxy_connect_timeout: '5s', proxy_read_timeout: '30s' }
  return { server_name: 'a.test', listen_port: 80, custom_directives: { ...timeouts, ...custom_directives }, ...rest }
}

/** A location of such a host. */
export function location(draft: Partial<NonNullable<HostDraft['locations']>[number]>): LintDraft {
  return { virtual_hosts: [host({ locations: [{ path: '/', ...draft }] })] }
}

/** Custom directives of a location of such a host. */
export function directives(custom_directives: Record<string, string>, path = '/'): LintDraft {
  return location({ path, custom_directives })
}

/** `code field` of each finding. */
export function codes(draft: LintDraft): string[] {
  return lintOf(draft).map(({ code, field }) => `${code} ${field}`)
}
