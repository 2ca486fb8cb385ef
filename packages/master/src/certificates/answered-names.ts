import type { AgentConfig, ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { defaultHttpPort } from '@nxmesh/model/http-port'
import { addressesOf, portOf } from '@nxmesh/model/listen-address'
import { parseServerNames } from '@nxmesh/model/server-name'

/** Which names an agent answers HTTP-01 challenges for, and with what. */
export interface AnsweredNames {
  /** The addresses of its machine on which its servers take requests for a name on the port where CAs look; `*` stands for all of them. */
  addressesFor: (name: string) => readonly string[]
  thumbprintOf: (name: string) => string | undefined
}

export function answeredNames({ virtual_hosts: all, settings, acme_thumbprints = {} }: AgentConfig): AnsweredNames {
  // No CA comes to a unix socket.
  const virtual_hosts = all.filter((host) => portOf(host) !== 0)
  const port = settings.http_port ?? defaultHttpPort
  // Which server takes the request is nginx's to say; all of them on the port answer, and TLS hosts have one there for their names.
  const plain = virtual_hosts.filter((host) => host.listen_port === port && !host.ssl_enabled)
  const open = addressesOfAll(plain)
  const encrypted = virtual_hosts.filter((host) => host.ssl_enabled)
  const beside = addressesOfAll(
    encrypted.filter((host) => host.tls?.redirect_http || namesOf(host).some((name) => Object.hasOwn(acme_thumbprints, name))),
  )
  const byName = new Map<string, Set<string>>()
  for (const host of encrypted)
    for (const name of namesOf(host)) byName.set(name, new Set([...(byName.get(name) ?? []), ...addressesOf(host)]))
  const thumbprints = new Map(Object.entries(acme_thumbprints))
  return {
    addressesFor(name) {
      const own = byName.get(name)
      return own || plain.length > 0 ? [...new Set([...open, ...beside, ...(own ?? [])])] : []
    },
    thumbprintOf: (name) => thumbprints.get(name),
  }
}

function addressesOfAll(hosts: readonly ConfigVirtualHost[]): string[] {
  return [...new Set(hosts.flatMap(addressesOf))]
}

function namesOf({ server_name }: ConfigVirtualHost): string[] {
  const parsed = parseServerNames(server_name)
  return parsed.ok ? parsed.names : []
}
