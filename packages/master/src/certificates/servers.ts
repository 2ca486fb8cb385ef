import type { AcmeAccountRow } from '../db/schema-certificates.ts'
import { type Outbound, openOutbound } from '../outbound/outbound.ts'
import { type AcmeClient, openAcmeClient } from './acme/client.ts'

export type BuiltIn = NonNullable<AcmeAccountRow['built_in']>

/** The ACME servers that certificates come from. */
export interface AcmeServers {
  /** The directory that a provider stands for. */
  directoryOf(builtIn: BuiltIn): string
  /** Speaks to the server of an account. */
  clientOf(account: Pick<AcmeAccountRow, 'built_in' | 'directory_url' | 'ca_pem'>): AcmeClient
  /** Breaks off what is asked of them, from now on at once. */
  stop(): void
}

export interface AcmeSettings {
  /** In the place of Let's Encrypt's own. */
  directory: string | undefined
  /** The CA of that directory's address. */
  ca: string | undefined
  outbound: Outbound
  now: () => number
}

const directories = {
  letsencrypt: 'https://acme-v02.api.letsencrypt.org/directory',
  letsencrypt_staging: 'https://acme-staging-v02.api.letsencrypt.org/directory',
}

export function openAcmeServers({ directory, ca, outbound, now }: AcmeSettings): AcmeServers {
  // Whoever runs the master has named it, so it may be anywhere.
  const anywhere = openOutbound(['0.0.0.0/0', '::/0'])
  const clients = new Map<string, AcmeClient>()
  const stopped = new AbortController()
  return {
    stop: () => stopped.abort(),
    directoryOf: (builtIn) => directory ?? directories[builtIn],
    clientOf({ built_in, directory_url, ca_pem }) {
      const key = JSON.stringify([built_in, directory_url, ca_pem])
      let client = clients.get(key)
      if (!client) {
        const trust = built_in === null ? (ca_pem ?? undefined) : ca
        const url = built_in === null ? directory_url : (directory ?? directory_url)
        client = openAcmeClient({
          directoryUrl: url,
          outbound: built_in === null ? outbound : anywhere,
          ca: trust,
          now,
          signal: stopped.signal,
        })
        clients.set(key, client)
      }
      return client
    },
  }
}
