import { ApiError } from '@nxmesh/api/errors'
import type { CertificateInput } from '@nxmesh/model/certificate'
import type { WorkspaceCertificate } from '@nxmesh/model/served-certificate'
import type { Kysely, Updateable } from 'kysely'
import type { ConfigChange } from '../change.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import { prepared } from '../db/prepared.ts'
import type { Database } from '../db/schema.ts'
import type { CertificateRow, Certificates } from '../db/schema-certificates.ts'
import { requireMatch } from '../etag.ts'
import { uuidv7 } from '../uuid.ts'
import type { Material } from './material.ts'
import { renewalTime, retryAfter, warningTimes } from './renewal.ts'

type Db = Kysely<Database>

const readOne = prepared((db, id: string) => db.selectFrom('certificates').selectAll().where('id', '=', id))

/** The row of a certificate; throws NOT_FOUND, or PRECONDITION_FAILED when If-Match names another revision. */
export async function readCertificateRow(db: Db, id: string, ifMatch?: string): Promise<CertificateRow> {
  const [row] = await readOne(db, id)
  if (!row) throw new ApiError('NOT_FOUND', 'certificate not found')
  requireMatch(ifMatch, row.revision)
  return row
}

/** What agents are given of a certificate. */
export function servedOf(row: Pick<CertificateRow, 'doc'>): WorkspaceCertificate {
  return JSON.parse(row.doc) as WorkspaceCertificate
}

/** A certificate that nobody has issued yet. */
export function newRow(
  ctx: Pick<Ctx, 'now'>,
  workspaceId: string,
  input: CertificateInput,
  names: string[],
  thumbprint: string | null,
): CertificateRow {
  const [id, now] = [uuidv7(ctx.now()), timestamp(ctx)]
  const times = { created_at: now, updated_at: now }
  const served = { id, workspace_id: workspaceId, name: input.domain, names, certificate_pem: null, expires_at: null, ...times }
  return {
    id,
    workspace_id: workspaceId,
    name: input.domain,
    doc: JSON.stringify({ ...served, sealed_key: null, thumbprint } satisfies WorkspaceCertificate),
    provider: input.provider,
    auto_renew: input.auto_renew ? 1 : 0,
    key_type: input.key_type,
    challenge: input.challenge,
    dns_provider_id: input.dns_provider_id,
    acme_account_id: input.acme_account_id,
    profile: input.profile,
    issued_at: null,
    not_before: null,
    expires_at: null,
    revoked_at: null,
    error: null,
    failures: 0,
    order_due_at: null,
    renewal_info_due_at: null,
    warn_at: null,
    ...times,
    revision: 1,
  }
}

/** A certificate with another chain and key. */
export function withMaterial(
  ctx: Pick<Ctx, 'now' | 'secrets'>,
  row: CertificateRow,
  { certificate_pem, private_key_pem, facts }: Material,
): CertificateRow {
  const now = timestamp(ctx)
  const [notBefore, notAfter] = [Date.parse(facts.not_before), Date.parse(facts.not_after)]
  const renews = row.auto_renew === 1 && row.provider !== 'uploaded'
  const sealed_key = ctx.secrets.seal(private_key_pem)
  const served: WorkspaceCertificate = { ...servedOf(row), certificate_pem, sealed_key, expires_at: facts.not_after, updated_at: now }
  return {
    ...row,
    doc: JSON.stringify(served),
    issued_at: row.provider === 'uploaded' ? facts.not_before : now,
    not_before: facts.not_before,
    expires_at: facts.not_after,
    revoked_at: null,
    error: null,
    failures: 0,
    order_due_at: renews ? new Date(renewalTime({ notBefore, notAfter, now: ctx.now(), random: Math.random() })).toISOString() : null,
    renewal_info_due_at: renews && row.acme_account_id !== null ? now : null,
    warn_at: new Date(warningTimes({ notBefore, notAfter })[0]!).toISOString(),
    updated_at: now,
    revision: row.revision + 1,
  }
}

/** What a failed attempt to get a certificate leaves behind: the reason, and when the next begins, at `retryAt` (milliseconds since the epoch) at the earliest. */
export function failureChanges(
  ctx: Pick<Ctx, 'now'>,
  row: Pick<CertificateRow, 'failures' | 'auto_renew' | 'issued_at'>,
  reason: { code: string; message: string; fix: string },
  retryAt: number | null,
): Updateable<Certificates> & { order_due_at: string | null } {
  const failures = row.failures + 1
  const again = row.auto_renew === 1 || row.issued_at === null
  const at = Math.max(ctx.now() + retryAfter(failures, Math.random()), retryAt ?? 0)
  return {
    failures,
    error: JSON.stringify({ ...reason, at: timestamp(ctx) }),
    order_due_at: again ? new Date(at).toISOString() : null,
  }
}

export async function insertRow(db: Db, row: CertificateRow): Promise<void> {
  await db.insertInto('certificates').values(row).execute()
}

export async function replaceRow(db: Db, row: CertificateRow): Promise<void> {
  await db.updateTable('certificates').set(row).where('id', '=', row.id).execute()
}

/** What a change of a certificate does to the config of its workspace, for the history. */
export function configChange(before: CertificateRow | null, after: CertificateRow | null): ConfigChange {
  const { id, name } = (after ?? before)!
  const action = before === null ? 'created' : after === null ? 'deleted' : 'changed'
  return { kind: 'certificate', id, name, action, before: before && servedOf(before), after: after && servedOf(after) }
}
