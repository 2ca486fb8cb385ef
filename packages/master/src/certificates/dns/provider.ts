import type { DnsProviderSettings } from '@nxmesh/model/dns-provider'
import { type Outbound } from '../../outbound/outbound.ts'
import { troubleOf } from '../../outbound/trouble.ts'
import { openCloudflare } from './cloudflare.ts'
import type { Resolver } from './resolver.ts'
import { openRfc2136 } from './rfc2136.ts'
import { openRoute53 } from './route53.ts'
import { hidden } from './target.ts'
import { openWebhook } from './webhook.ts'

export interface TxtRecord {
  /** Fully qualified, without the dot at the end, after CNAMEs were followed. */
  name: string
  value: string
}

export type DnsOutcome =
  | { ok: true }
  | {
      ok: false
      message: string
      /** Whether another try may help. */
      retry: boolean
    }

export interface DnsProvider {
  /** Adds the record beside those that are there: a wildcard and its base name need two at once. */
  present(record: TxtRecord): Promise<DnsOutcome>
  /** Removes this value and no other; fine when it is gone already. */
  cleanup(record: TxtRecord): Promise<DnsOutcome>
}

/** The kind of a provider and what it takes, with secrets in clear. */
export type DnsProviderTarget = DnsProviderSettings

export interface DnsParts {
  outbound: Outbound
  resolver: Resolver
  now: () => number
}

export function openDnsProvider(target: DnsProviderTarget, parts: DnsParts): DnsProvider {
  const provider = opened(target, parts)
  // Providers say in words of their own what is wrong, which may hold what was sent.
  const told = async (work: Promise<DnsOutcome>): Promise<DnsOutcome> => {
    const outcome = await work.catch((error: unknown): DnsOutcome => ({ ok: false, message: troubleOf(error), retry: true }))
    return outcome.ok ? outcome : { ...outcome, message: hidden(target, outcome.message) }
  }
  return { present: (record) => told(provider.present(record)), cleanup: (record) => told(provider.cleanup(record)) }
}

function opened(target: DnsProviderTarget, parts: DnsParts): DnsProvider {
  switch (target.kind) {
    case 'rfc2136':
      return openRfc2136(target, parts)
    case 'cloudflare':
      return openCloudflare(target, parts)
    case 'route53':
      return openRoute53(target, parts)
    case 'webhook':
      return openWebhook(target, parts)
    default:
      return target satisfies never
  }
}
