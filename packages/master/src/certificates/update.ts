import { ApiError, invalid } from '@nxmesh/api/errors'
import type { CertificatePatch } from '@nxmesh/api/routes/certificates'
import { type Certificate, type CertificateInput, certificateInput } from '@nxmesh/model/certificate'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Actor } from '../access.ts'
import { changeConfig, unchanged } from '../change.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { CertificateRow } from '../db/schema-certificates.ts'
import type { Tagged } from '../etag.ts'
import { patched } from '../patched.ts'
import { newCertificateKey } from './acme/csr.ts'
import { accountFor, uploaded } from './certificates.ts'
import { requireProvider } from './dns/providers.ts'
import { changeOf, requireCoverage, tellIssued } from './install.ts'
import type { Material } from './material.ts'
import { insertOrder, openOrderOf } from './orders.ts'
import { renewalTime } from './renewal.ts'
import { challengeOf, isOrdered, namesOf, requestProblems } from './request-rules.ts'
import { readCertificateRow, replaceRow, servedOf, withMaterial } from './row.ts'
import { taggedCertificate } from './shown.ts'
import { selfSigned } from './workspace-authority.ts'

/** Changes how a certificate is renewed, its names, or, of an uploaded one, the certificate itself. Other names are ordered at once. */
export async function updateCertificate(
  ctx: Ctx,
  actor: Actor,
  id: string,
  patch: CertificatePatch,
  ifMatch: string | undefined,
): Promise<Tagged<Certificate>> {
  const first = await readCertificateRow(ctx.db, id, ifMatch)
  const asked = inputAfter(first, patch)
  const material = await materialAfter(ctx, first, asked)
  const key = isOrdered(first.provider) ? await newCertificateKey(asked.key_type) : undefined
  return changeConfig(ctx, actor, first.workspace_id, async (tx, config) => {
    const before = await readCertificateRow(tx.db, id, ifMatch)
    const order = await openOrderOf(tx.db, id)
    const input = inputAfter(before, patch)
    if (!material && isEqual(comparable(input), comparable(inputOf(before)))) return unchanged(taggedCertificate(ctx, before, order))
    await requireProvider(tx.db, before.workspace_id, input.dns_provider_id)
    const account = await accountFor(ctx, tx.db, before.workspace_id, input)
    const names = before.provider === 'uploaded' ? (material?.facts.names ?? servedOf(before).names) : namesOf(input)
    const othersNames = !isEqual(names.toSorted(), servedOf(before).names.toSorted())
    if (othersNames) requireCoverage(config.virtual_hosts, id, names)
    if (order && (othersNames || input.acme_account_id !== before.acme_account_id))
      throw new ApiError('CONFLICT', 'an order of the certificate is under way: wait until it has ended')
    const thumbprint = input.challenge === 'http-01' ? account!.thumbprint : null
    const served = { ...servedOf(before), names, thumbprint, updated_at: timestamp(ctx) }
    const said = { ...saidOf(input), acme_account_id: account?.id ?? null, doc: JSON.stringify(served) }
    const changed = { ...before, ...said, updated_at: timestamp(ctx), revision: before.revision + 1 }
    const after = material
      ? { ...withMaterial(ctx, changed, material), revision: before.revision + 1 }
      : { ...changed, order_due_at: dueAfter(ctx, before, changed) }
    await replaceRow(tx.db, after)
    if (material) tellIssued(ctx, tx, after, true)
    if (key !== undefined && othersNames) await insertOrder(ctx, tx.db, after, key)
    tx.onCommit(() => ctx.wake('certificates'))
    return { result: taggedCertificate(ctx, after, await openOrderOf(tx.db, id)), ...changeOf(before, after, 'changed') }
  })
}

function inputOf(row: CertificateRow): CertificateInput {
  const { names } = servedOf(row)
  const { name: domain, provider, auto_renew, key_type, challenge, dns_provider_id, acme_account_id, profile } = row
  const material = { certificate_pem: null, private_key_pem: null }
  const own = provider === 'acme' ? acme_account_id : null
  const said = { provider, key_type, challenge, dns_provider_id, acme_account_id: own, profile, ...material }
  return { domain, names, auto_renew: auto_renew === 1, ...said }
}

// A challenge that follows from the DNS provider follows it when that changes.
function inputAfter(row: CertificateRow, patch: CertificatePatch): CertificateInput {
  const before = inputOf(row)
  const follows = patch.challenge === undefined && patch.dns_provider_id !== undefined ? { challenge: null } : {}
  const read = patched(certificateInput, { ...before, ...follows }, { ...patch, domain: row.name, provider: row.provider })
  const input = { ...read, challenge: challengeOf(read) }
  const replaces = row.provider !== 'uploaded' || input.certificate_pem !== null || input.private_key_pem !== null
  const problems = requestProblems(input).filter(({ code }) => replaces || code !== 'REQUIRED')
  if (row.provider === 'uploaded' && patch.names !== undefined && !replaces)
    problems.push({ field: 'names', message: 'are those of the uploaded certificate', code: 'NOT_ALLOWED' })
  if (problems.length > 0) throw invalid(problems)
  return input
}

async function materialAfter(ctx: Ctx, row: CertificateRow, input: CertificateInput): Promise<Material | undefined> {
  if (row.provider === 'uploaded') return input.certificate_pem === null ? undefined : uploaded(ctx, { ...input, names: [] })
  if (row.provider !== 'self_signed') return undefined
  const before = inputOf(row)
  const same = isEqual(namesOf(input).toSorted(), namesOf(before).toSorted()) && input.key_type === before.key_type
  return same ? undefined : selfSigned(ctx, row.workspace_id, namesOf(input), input.key_type)
}

function comparable(input: CertificateInput) {
  return { ...input, names: namesOf(input).toSorted() }
}

function saidOf({ auto_renew, key_type, challenge, dns_provider_id, profile }: CertificateInput) {
  return { auto_renew: auto_renew ? 1 : 0, key_type, challenge, dns_provider_id, profile }
}

// Whoever turns renewal on again wants it at its time, which may be now.
function dueAfter(ctx: Ctx, before: CertificateRow, after: CertificateRow): string | null {
  if (before.auto_renew === after.auto_renew || after.provider === 'uploaded') return before.order_due_at
  if (after.auto_renew === 0) return after.issued_at === null ? before.order_due_at : null
  if (after.not_before === null || after.expires_at === null) return before.order_due_at ?? after.updated_at
  const life = { notBefore: Date.parse(after.not_before), notAfter: Date.parse(after.expires_at) }
  return new Date(renewalTime({ ...life, now: ctx.now(), random: Math.random() })).toISOString()
}
