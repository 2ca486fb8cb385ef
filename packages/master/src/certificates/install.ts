import { ApiError } from '@nxmesh/api/errors'
import type { Problem } from '@nxmesh/model/problem'
import { shownServed } from '@nxmesh/model/served-certificate'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { Actor } from '../access.ts'
import { type Change, changeConfig } from '../change.ts'
import type { Ctx } from '../ctx.ts'
import type { CertificateRow } from '../db/schema-certificates.ts'
import type { Tx } from '../db/transaction.ts'
import { tell } from '../events/outbox.ts'
import { uncoveredOf } from './coverage.ts'
import type { Material } from './material.ts'
import { configChange, readCertificateRow, replaceRow, servedOf, withMaterial } from './row.ts'

/** Who does what nobody asked for. */
export const itself: Pick<Actor, 'email'> = { email: 'nxmesh-master' }

/** Puts a chain and key in the place of those that agents have, as a new version of the workspace. */
export async function install(
  ctx: Ctx,
  actor: Pick<Actor, 'email'>,
  { id, workspace_id }: Pick<CertificateRow, 'id' | 'workspace_id'>,
  material: Material,
): Promise<CertificateRow> {
  return changeConfig(ctx, actor, workspace_id, (tx) => put(ctx, tx, id, material))
}

/** The same within a transaction. */
export async function put(ctx: Ctx, tx: Tx, id: string, material: Material) {
  const before = await readCertificateRow(tx.db, id)
  const after = withMaterial(ctx, before, material)
  await replaceRow(tx.db, after)
  tellIssued(ctx, tx, after, before.issued_at !== null)
  return { result: after, ...changeOf(before, after, before.issued_at === null ? 'issued' : 'renewed') }
}

/** Tells of a certificate that is there now. */
export function tellIssued(ctx: Ctx, tx: Tx, row: CertificateRow, renewed: boolean): void {
  const { id, name, workspace_id, expires_at } = row
  tell(ctx, tx, workspace_id, 'certificate.issued', {
    certificate_id: id,
    name,
    names: servedOf(row).names,
    expires_at: expires_at!,
    renewed,
  })
}

/** The change of a certificate as versions and the audit log keep it: the latter without its key. */
export function changeOf(
  before: CertificateRow | null,
  after: CertificateRow | null,
  verb: string,
): Required<Pick<Change<unknown>, 'changes' | 'summary' | 'deed'>> {
  const change = configChange(before, after)
  const { id, name } = change
  const shown = (row: CertificateRow | null) => {
    if (row === null) return null
    const { certificate_pem: _pem, ...served } = shownServed(servedOf(row))
    const { provider, auto_renew, key_type, challenge, dns_provider_id, acme_account_id, profile } = row
    return { ...served, provider, auto_renew: auto_renew === 1, key_type, challenge, dns_provider_id, acme_account_id, profile }
  }
  const deed = { object: { kind: 'certificate', id, name }, before: shown(before), after: shown(after) }
  return { changes: [change], summary: `${verb} certificate "${name}"`, deed }
}

/** Throws CONFLICT where virtual hosts that use a certificate have names that it would no longer be for. */
export function requireCoverage(hosts: VirtualHost[], certificateId: string, names: readonly string[]): void {
  const details = hosts.flatMap((host): Problem[] => {
    if (host.ssl_certificate_id !== certificateId || !host.ssl_enabled) return []
    const missing = uncoveredOf(host, names)
    if (missing.length === 0) return []
    const message = `virtual host "${host.name}" (${host.id}) uses it for ${missing.join(', ')}`
    return [{ field: 'names', message, code: 'IN_USE' }]
  })
  if (details.length > 0)
    throw new ApiError('CONFLICT', 'virtual hosts use the certificate for names that it would no longer be for', details)
}
