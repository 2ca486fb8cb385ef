import { isIP } from 'node:net'
import type { Problem } from '@nxmesh/model/problem'
import type { Outbound } from '../../outbound/outbound.ts'
import type { DnsProviderTarget } from './provider.ts'
import { placeOf } from './rfc2136.ts'

/** What is wrong with what somebody says about a provider beyond its form. */
export function targetProblems(target: DnsProviderTarget, outbound: Pick<Outbound, 'isForbidden' | 'mayReach'>): Problem[] {
  const message = 'is no public address; the master’s --outbound-networks allows others'
  if (target.kind === 'rfc2136') {
    const { host } = placeOf(target.server)
    return isIP(host) !== 0 && !outbound.mayReach(host) ? [{ field: 'server', message, code: 'NOT_ALLOWED' }] : []
  }
  if (target.kind !== 'webhook') return []
  const forbidden: Problem[] = outbound.isForbidden(new URL(target.url)) ? [{ field: 'url', message, code: 'NOT_ALLOWED' }] : []
  const needsName = target.password !== null && target.username === null
  return needsName ? [...forbidden, { field: 'username', message: 'must be given with a password', code: 'REQUIRED' }] : forbidden
}

/** A password is sent to nobody whom it was not given for: where the address changes, it has to be said again. */
export function movedPassword(before: DnsProviderTarget, after: DnsProviderTarget, isGiven: boolean): Problem[] {
  if (before.kind !== 'webhook' || after.kind !== 'webhook' || isGiven || after.password === null) return []
  if (new URL(before.url).origin === new URL(after.url).origin) return []
  return [{ field: 'password', message: 'must be given again when the address changes', code: 'REQUIRED' }]
}
