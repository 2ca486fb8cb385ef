import { ApiError } from '@nxmesh/api/errors'
import { type Certificate, revocationReasons } from '@nxmesh/model/certificate'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { CertificateRow } from '../db/schema-certificates.ts'
import { transaction } from '../db/transaction.ts'
import type { Tagged } from '../etag.ts'
import { tell } from '../events/outbox.ts'
import { readAccountRow } from './account-row.ts'
import { explainProblem } from './acme/problem.ts'
import { getCertificate } from './certificates.ts'
import { isOrdered } from './request-rules.ts'
import { readCertificateRow, servedOf } from './row.ts'

type Reason = keyof typeof revocationReasons

/** Revokes a certificate at its CA. Agents serve it until there is another, which is ordered at once where it renews itself. */
export async function revokeCertificate(ctx: Ctx, id: string, reason: Reason): Promise<Tagged<Certificate>> {
  const row = await readCertificateRow(ctx.db, id)
  await revokeAtCa(ctx, row, reason)
  await transaction(
    ctx,
    async (tx) => {
      const present = await readCertificateRow(tx.db, id)
      const { workspace_id, name } = present
      const at = timestamp(ctx)
      const again = present.auto_renew === 1 ? { order_due_at: at } : { order_due_at: null }
      const changes = { revoked_at: at, ...again, renewal_info_due_at: null, warn_at: null, updated_at: at, revision: present.revision + 1 }
      await tx.db.updateTable('certificates').set(changes).where('id', '=', id).execute()
      await audit(ctx, tx.db, { workspaceId: workspace_id, object: { kind: 'certificate', id, name }, after: { reason } })
      tell(ctx, tx, workspace_id, 'certificate.revoked', { certificate_id: id, name, reason })
      tx.onCommit(() => ctx.wake('certificates'))
    },
    row.workspace_id,
  )
  return getCertificate(ctx, id)
}

async function revokeAtCa(ctx: Ctx, row: CertificateRow, reason: Reason): Promise<void> {
  const pem = servedOf(row).certificate_pem
  if (!isOrdered(row.provider)) {
    const what =
      row.provider === 'uploaded'
        ? 'the CA of an uploaded certificate is not known here'
        : 'the CA of the workspace publishes no revocations'
    throw new ApiError('CONFLICT', `${what}: replace the certificate, or delete it`)
  }
  if (pem === null) throw new ApiError('CONFLICT', 'the certificate has not been issued yet')
  if (row.revoked_at !== null) throw new ApiError('CONFLICT', `the certificate is revoked since ${row.revoked_at}`)
  const account = await readAccountRow(ctx.db, row.acme_account_id!)
  const credentials = { url: account.url!, keyPem: ctx.secrets.open(account.sealed_key) }
  const revoked = await ctx.acme.clientOf(account).revoke(credentials, pem, revocationReasons[reason])
  if (revoked.ok || revoked.problem.type === 'alreadyRevoked') return
  const { message, fix } = explainProblem(revoked.problem)
  throw new ApiError('SERVICE_UNAVAILABLE', `the CA did not revoke it: ${message} ${fix}`)
}
