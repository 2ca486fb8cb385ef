import type { AgentConfig, ConfigCertificate } from '@nxmesh/model/agent-config'
import { settings } from '@nxmesh/model/settings'
import { streamHostInput } from '@nxmesh/model/stream-host'
import { upstreamInput } from '@nxmesh/model/upstream'
import { virtualHostInput } from '@nxmesh/model/virtual-host'

/** What a user may write for a schema, defaults left out. */
type Input<Schema extends { _zod: { input: unknown } }> = Schema['_zod']['input']

export interface ConfigDraft {
  virtual_hosts?: (Omit<Input<typeof virtualHostInput>, 'name'> & { id?: string; name?: string })[]
  stream_hosts?: (Omit<Input<typeof streamHostInput>, 'name'> & { id?: string; name?: string })[]
  upstreams?: (Omit<Input<typeof upstreamInput>, 'name'> & { id?: string; name?: string })[]
  certificates?: Record<string, ConfigCertificate>
  settings?: Input<typeof settings>
}

/** The id of the nth object of a kind: hosts are `id(1, …)`, upstreams `id(2, …)`, stream hosts `id(6, …)`. */
export function id(kind: number, at: number): string {
  return `00000000-0000-7000-800${kind}-${String(at).padStart(12, '0')}`
}

/** A config as the master would send it, from what a user would write. Ids count from 1 where none is given. */
export function configOf(draft: ConfigDraft): AgentConfig {
  return {
    virtual_hosts: (draft.virtual_hosts ?? []).map(({ id: given, name, ...host }, at) => {
      const { target_agents: _, ...rest } = virtualHostInput.parse({ ...host, name: name ?? `Host ${at + 1}` })
      return { ...rest, id: given ?? id(1, at + 1) }
    }),
    ...(draft.stream_hosts && {
      stream_hosts: draft.stream_hosts.map(({ id: given, name, ...host }, at) => {
        const { target_agents: _, ...rest } = streamHostInput.parse({ ...host, name: name ?? `Stream ${at + 1}` })
        return { ...rest, id: given ?? id(6, at + 1) }
      }),
    }),
    upstreams: (draft.upstreams ?? []).map(({ id: given, name, ...upstream }, at) => ({
      ...upstreamInput.parse({ ...upstream, name: name ?? `Upstream ${at + 1}` }),
      id: given ?? id(2, at + 1),
    })),
    certificates: draft.certificates ?? {},
    settings: settings.parse(draft.settings ?? {}),
  }
}
