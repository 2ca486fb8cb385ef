import { randomBytes } from 'node:crypto'
import type { IssuedCertificate, Issuer } from './issuer.ts'
import { Refusal } from './refusal.ts'

/** Milliseconds that certificates of each profile live; the first is that of orders which name none. */
export const profiles = { classic: 90 * 86_400_000, shortlived: 6 * 86_400_000 }

interface Identifier {
  type: 'dns' | 'ip'
  value: string
}

/** An order as the authority has it. */
export interface AuthorityOrder {
  account: string
  identifiers: Identifier[]
  profile: keyof typeof profiles
  replaces: string | undefined
  status: 'pending' | 'ready' | 'processing' | 'valid'
  authorizations: { status: 'pending' | 'valid'; token: string; isAsked: boolean }[]
  certificate: IssuedCertificate | undefined
}

export interface OrderBook {
  /** Oldest first. */
  orders: AuthorityOrder[]
  /** Makes an order of what an account sends; throws what is wrong with it, or the refusal that there is for its first name, once. */
  add(account: string, payload: unknown, refusals: Map<string, Refusal>): number
  /** Issues what an order is for, once its names are proved. */
  issue(order: AuthorityOrder, csr: Uint8Array<ArrayBuffer>): Promise<void>
  /** Certificates by what renewal information calls them. */
  issued: Map<string, AuthorityOrder>
}

export function openOrderBook(issuer: Issuer, now: () => number): OrderBook {
  const orders: AuthorityOrder[] = []
  const issued = new Map<string, AuthorityOrder>()
  const replaced = new Set<string>()

  // Source: RFC 9773 section 5.
  function replace(account: string, id: string, names: string[]): void {
    const before = issued.get(id)
    if (!before) throw new Refusal(404, 'malformed', `no certificate ${id}`)
    if (before.account !== account) throw new Refusal(403, 'unauthorized', `${id} is of another account`)
    if (!before.identifiers.some(({ value }) => names.includes(value))) throw new Refusal(400, 'malformed', `${id} has none of these names`)
    if (replaced.has(id)) throw new Refusal(409, 'alreadyReplaced', `${id} is replaced already`)
    replaced.add(id)
  }

  return {
    orders,
    issued,
    add(account, payload, refusals) {
      const { identifiers, profile = 'classic', replaces } = payload as { identifiers: Identifier[]; profile?: string; replaces?: string }
      if (identifiers.length === 0) throw new Refusal(400, 'malformed', 'no names')
      const [{ value: first } = { value: '' }] = identifiers
      const refusal = refusals.get(first)
      refusals.delete(first)
      if (refusal) throw refusal
      if (!isProfile(profile)) throw new Refusal(400, 'invalidProfile', `no profile ${profile}`)
      if (replaces !== undefined) {
        const names = identifiers.map(({ value }) => value)
        replace(account, replaces, names)
      }
      const authorizations = identifiers.map(() => ({ status: 'pending' as const, token: randomBytes(16).toString('hex'), isAsked: false }))
      orders.push({ account, identifiers, profile, replaces, status: 'pending', authorizations, certificate: undefined })
      return orders.length - 1
    },
    async issue(order, csr) {
      const names = order.identifiers.map(({ value }) => value)
      // As public CAs do, for clients whose clock is behind.
      const notBefore = Math.floor(now() / 1000) * 1000 - 3_600_000
      order.certificate = await issuer.issue(csr, names, { notBefore, notAfter: notBefore + profiles[order.profile] })
      issued.set(order.certificate.id, order)
      order.status = 'valid'
    },
  }
}

function isProfile(name: string): name is keyof typeof profiles {
  return Object.hasOwn(profiles, name)
}
