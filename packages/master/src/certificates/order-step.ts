import type { CertificateError, OrderStep } from '@nxmesh/model/certificate'
import type { Updateable } from 'kysely'
import type { Ctx } from '../ctx.ts'
import type { AcmeAccountRow, CertificateOrderRow, CertificateOrders, CertificateRow } from '../db/schema-certificates.ts'
import type { AcmeAccount, AcmeClient, AcmeOrder } from './acme/client.ts'
import { type AcmeProblem, type AcmeResult, explainProblem } from './acme/problem.ts'
import type { InstallOrdered } from './install-together.ts'
import type { OrderAuthorization } from './shown.ts'

export type Reason = Omit<CertificateError, 'at'>

/** What a step of an order comes to. */
export type Next =
  /** `seen`: the order as the CA has just shown it, for the step that follows. */
  | { kind: 'go'; step: OrderStep; changes?: Updateable<CertificateOrders>; seen?: AcmeOrder }
  /** The same step again, after so many milliseconds; with the reason where something is in the way. */
  | { kind: 'wait'; ms: number; reason?: Reason; changes?: Updateable<CertificateOrders> }
  /** `retryAt`: milliseconds since the epoch before which the CA takes no other. */
  | { kind: 'fail'; reason: Reason; retryAt?: number | null }
  | { kind: 'done' }

/** An order that is being worked on. */
export interface Work {
  ctx: Ctx
  order: CertificateOrderRow
  certificate: CertificateRow
  account: AcmeAccountRow
  client: AcmeClient
  /** What authenticates to the ACME server; only once the account is registered. */
  credentials: AcmeAccount
  authorizations: OrderAuthorization[]
  install: InstallOrdered
  /** What the step before has been told of the order. */
  seen: AcmeOrder | undefined
  /** Writes what has happened so far, so that a master that takes over knows it; false where the order is no longer ours. */
  keep(authorizations: OrderAuthorization[]): Promise<boolean>
}

const hour = 3_600_000
const passing = new Set(['unreachable', 'serverInternal', 'malformedAnswer', 'badNonce'])

/** What a refusal of the ACME server means for an order: wait for a server that is away, register anew where it has forgotten us, or fail. */
export function afterProblem({ order, ctx }: Pick<Work, 'order' | 'ctx'>, problem: AcmeProblem): Next {
  if (passing.has(problem.type)) {
    const ms = Math.max(patience(order.attempt), (problem.retryAt ?? 0) - ctx.now())
    return { kind: 'wait', ms, reason: reasonOf(problem) }
  }
  if (problem.type === 'accountDoesNotExist') return { kind: 'go', step: 'account', changes: { url: null, authorizations: '[]' } }
  const retryAt = problem.retryAt ?? (problem.type === 'rateLimited' ? ctx.now() + hour : null)
  return { kind: 'fail', reason: reasonOf(problem), retryAt }
}

/** The order as the CA has it, asked for where the step before has not just been told. */
export async function shownByCa({ seen, client, credentials, order }: Work): Promise<AcmeResult<AcmeOrder>> {
  return seen ? { ok: true, value: seen } : client.order(credentials, order.url!)
}

export function reasonOf(problem: AcmeProblem): Reason {
  return { code: problem.type, ...explainProblem(problem) }
}

// A server that is away is asked again after half a minute, and at least every ten.
function patience(attempt: number): number {
  return Math.min(600_000, 30_000 * 2 ** Math.min(attempt - 1, 10))
}
