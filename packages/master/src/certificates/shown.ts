import type { Certificate, CertificateError, CertificateOrder, CertificateStatus } from '@nxmesh/model/certificate'
import { readCertificate } from '@nxmesh/model/x509'
import type { Ctx } from '../ctx.ts'
import type { CertificateOrderRow, CertificateRow } from '../db/schema-certificates.ts'
import type { Tagged } from '../etag.ts'
import { servedOf } from './row.ts'

/** An authorization of an order: one name and what it takes to prove it. */
export interface OrderAuthorization {
  url: string
  name: string
  wildcard: boolean
  status: string
  challenge: { type: string; url: string; token: string } | null
  /** The DNS record that is there for it: where, and with what value. */
  record: { name: string; value: string } | null
  /** The CA was told to look. */
  answered: boolean
}

/** A certificate as the API shows it. */
export function shownCertificate(ctx: Pick<Ctx, 'now'>, row: CertificateRow, order: CertificateOrderRow | undefined): Certificate {
  const served = servedOf(row)
  const facts = served.certificate_pem === null ? undefined : readCertificate(served.certificate_pem)
  return {
    id: row.id,
    workspace_id: row.workspace_id,
    domain: row.name,
    names: served.names,
    is_wildcard: served.names.some((name) => name.startsWith('*.')),
    provider: row.provider,
    status: statusOf(row, order !== undefined, ctx.now()),
    issued_at: row.issued_at,
    expires_at: row.expires_at,
    auto_renew: row.auto_renew === 1,
    renews_at: row.order_due_at,
    key_type: row.key_type,
    challenge: row.challenge,
    dns_provider_id: row.dns_provider_id,
    acme_account_id: row.acme_account_id,
    profile: row.profile,
    issuer: facts?.issuer ?? null,
    serial: facts?.serial ?? null,
    fingerprint: facts?.fingerprint ?? null,
    error: row.error === null ? null : (JSON.parse(row.error) as CertificateError),
    order: order ? shownOrder(order) : null,
    created_at: row.created_at,
    updated_at: row.updated_at,
  }
}

/** The same with a tag that also tells apart what the master itself has done: an order goes on without a new revision. */
export function taggedCertificate(
  ctx: Pick<Ctx, 'now' | 'secrets'>,
  row: CertificateRow,
  order: CertificateOrderRow | undefined,
): Tagged<Certificate> {
  const body = shownCertificate(ctx, row, order)
  return { body, revision: row.revision, variant: ctx.secrets.fingerprint(JSON.stringify(body)).slice(0, 16) }
}

export function shownOrder(order: CertificateOrderRow): CertificateOrder {
  const authorizations = JSON.parse(order.authorizations) as OrderAuthorization[]
  return {
    id: order.id,
    step: order.step,
    outcome: order.outcome,
    names: authorizations.map(({ name, wildcard, status, challenge }) => ({
      name: wildcard ? `*.${name}` : name,
      status,
      challenge: challenge?.type ?? null,
    })),
    error: order.error === null ? null : (JSON.parse(order.error) as CertificateError),
    created_at: order.created_at,
    ended_at: order.ended_at,
  }
}

/** The state of a certificate at `now`, in milliseconds since the epoch. */
export function statusOf(row: CertificateRow, isOrdered: boolean, now: number): CertificateStatus {
  if (row.expires_at === null) return row.error !== null && !isOrdered ? 'failed' : 'pending'
  if (row.revoked_at !== null) return 'revoked'
  if (Date.parse(row.expires_at) <= now) return 'expired'
  return isOrdered ? 'renewing' : 'active'
}
