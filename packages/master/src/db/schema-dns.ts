import type { DnsProviderKind } from '@nxmesh/model/dns-provider'
import type { Selectable } from 'kysely'

export interface DnsProviders {
  id: string
  workspace_id: string
  name: string
  kind: DnsProviderKind
  /** What it takes, as DnsProviderTarget with its secrets, encrypted. */
  target: string
  created_at: string
  updated_at: string
  /** Raised by one with each change. */
  revision: number
}

export type DnsProviderRow = Selectable<DnsProviders>
