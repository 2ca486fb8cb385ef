import type { AgentConfig } from '@nxmesh/model/agent-config'
import { defaultHttpPort } from '@nxmesh/model/http-port'
import { parseServerNames } from '@nxmesh/model/server-name'

/** Which names an agent answers HTTP-01 challenges for, and with what. */
export interface AnsweredNames {
  /** Whether its servers take requests for a name on the port where CAs look. */
  takes: (name: string) => boolean
  thumbprintOf: (name: string) => string | undefined
}

export function answeredNames({ virtual_hosts, settings, acme_thumbprints }: AgentConfig): AnsweredNames {
  const port = settings.http_port ?? defaultHttpPort
  // Which server takes the request is nginx's to say; all of them on the port answer, and TLS hosts have one there for their names.
  const anyName = virtual_hosts.some((host) => host.listen_port === port && !host.ssl_enabled)
  const names = new Set(
    virtual_hosts.flatMap(({ ssl_enabled, server_name }) => {
      const parsed = parseServerNames(server_name)
      return ssl_enabled && parsed.ok ? parsed.names : []
    }),
  )
  const thumbprints = new Map(Object.entries(acme_thumbprints ?? {}))
  return { takes: (name) => anyName || names.has(name), thumbprintOf: (name) => thumbprints.get(name) }
}
