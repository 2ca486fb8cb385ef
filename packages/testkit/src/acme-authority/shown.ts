import type { AuthorityOrder } from './orders.ts'

/** An order as clients see it. */
export function shownOrder(base: string, number: number, { identifiers, profile, replaces, status, authorizations }: AuthorityOrder) {
  return {
    status,
    identifiers,
    profile,
    replaces,
    authorizations: authorizations.map((_, index) => `${base}/authorization/${number}/${index}`),
    finalize: `${base}/finalize/${number}`,
    ...(status === 'valid' ? { certificate: `${base}/certificate/${number}` } : {}),
  }
}

/** One name of an order and how it may be proved. */
export function shownAuthorization(base: string, number: number, { identifiers, authorizations }: AuthorityOrder, index: number) {
  const { type, value } = identifiers[index]!
  const { status, token, isAsked } = authorizations[index]!
  const wildcard = value.startsWith('*.')
  const url = `${base}/challenge/${number}/${index}`
  const state = status === 'pending' && isAsked ? 'processing' : status
  const challenges = ['dns-01', ...(wildcard ? [] : ['http-01'])].map((kind) => ({ type: kind, url, token, status: state }))
  return { status, identifier: { type, value: value.replace(/^\*\./, '') }, wildcard, challenges }
}
