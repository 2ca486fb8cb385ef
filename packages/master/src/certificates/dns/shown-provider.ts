import type { DnsProvider, DnsProviderInput } from '@nxmesh/model/dns-provider'
import type { Ctx } from '../../ctx.ts'
import type { DnsProviderRow } from '../../db/schema-dns.ts'
import type { DnsProviderTarget } from './provider.ts'

export function openTarget({ secrets }: Pick<Ctx, 'secrets'>, { target }: Pick<DnsProviderRow, 'target'>): DnsProviderTarget {
  return JSON.parse(secrets.open(target)) as DnsProviderTarget
}

/** A provider as the API shows it: without its secrets. */
export function shownProvider({ id, workspace_id, name, created_at, updated_at }: DnsProviderRow, target: DnsProviderTarget): DnsProvider {
  const common = { id, workspace_id, name, created_at, updated_at }
  switch (target.kind) {
    case 'rfc2136': {
      const { kind, server, zone, tsig_name, tsig_algorithm } = target
      return { ...common, kind, server, zone, tsig_name, tsig_algorithm }
    }
    case 'cloudflare':
      return { ...common, kind: target.kind }
    case 'route53':
      return { ...common, kind: target.kind, access_key_id: target.access_key_id, hosted_zone_id: target.hosted_zone_id }
    case 'webhook':
      return { ...common, kind: target.kind, url: target.url, username: target.username }
    default:
      return target satisfies never
  }
}

/** What somebody says without what it is called: what the provider takes. */
export function targetOf({ name: _name, ...target }: DnsProviderInput): DnsProviderTarget {
  return target
}
