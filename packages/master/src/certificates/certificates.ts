import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import { filterHosts } from '@nxmesh/model/agent-config'
import type { Certificate, CertificateError, CertificateInput } from '@nxmesh/model/certificate'
import type { Problem } from '@nxmesh/model/problem'
import type { Kysely } from 'kysely'
import type { Actor } from '../access.ts'
import { audit } from '../audit.ts'
import { changeConfig } from '../change.ts'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { AcmeAccountRow, CertificateOrderRow, CertificateRow } from '../db/schema-certificates.ts'
import { transaction } from '../db/transaction.ts'
import type { Tagged } from '../etag.ts'
import type { Streamed } from '../http/answer.ts'
import { requireUnused } from '../in-use.ts'
import { rangeOf } from '../page.ts'
import { builtInAccount } from './account-row.ts'
import { newCertificateKey } from './acme/csr.ts'
import { requireProvider } from './dns/providers.ts'
import { changeOf, install, tellIssued } from './install.ts'
import { type Material, readMaterial } from './material.ts'
import { insertOrder, openOrderOf } from './orders.ts'
import { challengeOf, isOrdered, namesOf, requestProblems, uncoveredProblems } from './request-rules.ts'
import { insertRow, newRow, readCertificateRow, servedOf, withMaterial } from './row.ts'
import { shownCertificate, taggedCertificate } from './shown.ts'
import { selfSigned } from './workspace-authority.ts'

type Db = Kysely<Database>

export async function listCertificates(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db.selectFrom('certificates').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  const orders = await openOrders(ctx.db, rows)
  return { data: rows.map((row) => shownCertificate(ctx, row, orders.get(row.id))), meta: { ...paging, total } }
}

async function openOrders(db: Db, rows: CertificateRow[]): Promise<Map<string, CertificateOrderRow>> {
  if (rows.length === 0) return new Map()
  const ids = rows.map(({ id }) => id)
  const orders = await db
    .selectFrom('certificate_orders')
    .selectAll()
    .where('certificate_id', 'in', ids)
    .where('ended_at', 'is', null)
    .execute()
  return new Map(orders.map((order) => [order.certificate_id, order]))
}

export async function getCertificate(ctx: Ctx, id: string): Promise<Tagged<Certificate>> {
  return taggedCertificate(ctx, await readCertificateRow(ctx.db, id), await openOrderOf(ctx.db, id))
}

/** The certificate and its intermediates; throws NOT_FOUND while there are none. */
export async function getChain(ctx: Ctx, id: string): Promise<Streamed> {
  const row = await readCertificateRow(ctx.db, id)
  const pem = servedOf(row).certificate_pem
  if (pem === null) throw new ApiError('NOT_FOUND', 'the certificate has not been issued yet')
  const fileName = `${row.name.replaceAll(/[^a-z0-9.-]/g, '_')}.pem`
  return {
    type: 'application/pem-certificate-chain',
    fileName,
    chunks: (async function* () {
      yield pem
    })(),
  }
}

/** Requests a certificate from its provider: an order begins, or it is there at once. */
export async function requestCertificate(
  ctx: Ctx,
  actor: Actor,
  workspaceId: string,
  input: CertificateInput,
): Promise<Tagged<Certificate>> {
  const said = { ...input, challenge: challengeOf(input) }
  const problems = requestProblems(said)
  if (problems.length > 0) throw invalid(problems)
  const material = await materialFor(ctx, workspaceId, said)
  const key = isOrdered(said.provider) ? await newCertificateKey(said.key_type) : undefined
  return changeConfig(ctx, actor, workspaceId, async (tx) => {
    await requireProvider(tx.db, workspaceId, said.dns_provider_id)
    const account = await accountFor(ctx, tx.db, workspaceId, said)
    const names = said.provider === 'uploaded' ? material!.facts.names : namesOf(said)
    const thumbprint = said.challenge === 'http-01' ? account!.thumbprint : null
    const bare = newRow(ctx, workspaceId, { ...said, acme_account_id: account?.id ?? null }, names, thumbprint)
    const row = material ? { ...withMaterial(ctx, bare, material), revision: 1 } : bare
    await insertRow(tx.db, row)
    if (key !== undefined) await insertOrder(ctx, tx.db, row, key)
    if (material) tellIssued(ctx, tx, row, false)
    tx.onCommit(() => ctx.wake('certificates'))
    return { result: taggedCertificate(ctx, row, await openOrderOf(tx.db, row.id)), ...changeOf(null, row, 'requested') }
  })
}

/** Gets a new certificate for the names of one now, with a new key. */
export async function renewCertificate(ctx: Ctx, actor: Actor, id: string, skipPreflight: boolean): Promise<Tagged<Certificate>> {
  const row = await readCertificateRow(ctx.db, id)
  if (row.provider === 'uploaded')
    throw new ApiError('CONFLICT', 'an uploaded certificate is renewed by its owner: PATCH it with the new one')
  const { names } = servedOf(row)
  if (!isOrdered(row.provider)) {
    await install(ctx, actor, row, await selfSigned(ctx, row.workspace_id, names, row.key_type))
    return getCertificate(ctx, id)
  }
  const key = await newCertificateKey(row.key_type)
  return transaction(
    ctx,
    async (tx) => {
      const present = await readCertificateRow(tx.db, id)
      requireOrderable(ctx, present, await openOrderOf(tx.db, id))
      await insertOrder(ctx, tx.db, present, key, skipPreflight)
      await audit(ctx, tx.db, { workspaceId: present.workspace_id, object: { kind: 'certificate', id, name: present.name } })
      tx.onCommit(() => ctx.wake('certificates'))
      return taggedCertificate(ctx, present, await openOrderOf(tx.db, id))
    },
    row.workspace_id,
  )
}

// A CA that has asked for patience is left alone, or it asks for more.
function requireOrderable(ctx: Ctx, row: CertificateRow, order: CertificateOrderRow | undefined): void {
  if (order) throw new ApiError('CONFLICT', `an order of the certificate is under way since ${order.created_at}`)
  const error = row.error === null ? undefined : (JSON.parse(row.error) as CertificateError)
  if (error?.code !== 'rateLimited' || row.order_due_at === null || Date.parse(row.order_due_at) <= ctx.now()) return
  throw new ApiError('CONFLICT', `${error.message} No order is begun before ${row.order_due_at}.`)
}

export async function deleteCertificate(ctx: Ctx, actor: Actor, id: string, ifMatch: string | undefined): Promise<void> {
  const { workspace_id: workspaceId } = await readCertificateRow(ctx.db, id)
  await changeConfig(ctx, actor, workspaceId, async ({ db }, config) => {
    const row = await readCertificateRow(db, id, ifMatch)
    requireUnused(
      'certificate',
      filterHosts(config, (host) => host.ssl_certificate_id === id),
    )
    await db.deleteFrom('certificates').where('id', '=', id).execute()
    await forgetKeys(db, row)
    return { result: undefined, ...changeOf(row, null, 'deleted') }
  })
}

// The versions of the past keep what was served, but nobody is to find the key of what was deleted.
async function forgetKeys(db: Db, { id, workspace_id }: CertificateRow): Promise<void> {
  const rows = await db
    .selectFrom('history')
    .select(['version', 'doc'])
    .where('workspace_id', '=', workspace_id)
    .where('kind', '=', 'certificate')
    .where('id', '=', id)
    .execute()
  for (const { version, doc } of rows) {
    if (doc === null) continue
    await db
      .updateTable('history')
      .set({ doc: JSON.stringify({ ...JSON.parse(doc), sealed_key: null }) })
      .where('workspace_id', '=', workspace_id)
      .where('version', '=', version)
      .where('kind', '=', 'certificate')
      .where('id', '=', id)
      .execute()
  }
}

/** What is there at once: an uploaded certificate, or one of the workspace's own CA. */
async function materialFor(ctx: Ctx, workspaceId: string, said: CertificateInput): Promise<Material | undefined> {
  if (said.provider === 'self_signed') return selfSigned(ctx, workspaceId, namesOf(said), said.key_type)
  return said.provider === 'uploaded' ? uploaded(ctx, said) : undefined
}

/** What somebody uploads, read and found to be for the names that they say; throws VALIDATION_ERROR. */
export function uploaded(ctx: Pick<Ctx, 'now'>, said: CertificateInput): Material {
  const read = readMaterial(said.certificate_pem!, said.private_key_pem!, ctx.now())
  if (!read.ok) throw invalid(read.problems)
  const problems = uncoveredProblems(said, read.material.facts.names)
  if (problems.length > 0) throw invalid(problems)
  return read.material
}

/** The account that orders go by; throws VALIDATION_ERROR where there is none. */
export async function accountFor(
  ctx: Ctx,
  db: Db,
  workspaceId: string,
  { provider, acme_account_id }: Pick<CertificateInput, 'provider' | 'acme_account_id'>,
): Promise<AcmeAccountRow | undefined> {
  if (!isOrdered(provider)) return undefined
  if (provider === 'letsencrypt' || provider === 'letsencrypt_staging') return builtInAccount(ctx, db, workspaceId, provider)
  const own = db.selectFrom('acme_accounts').selectAll().where('workspace_id', '=', workspaceId).where('built_in', 'is', null)
  const found = await (acme_account_id === null ? own : own.where('id', '=', acme_account_id)).limit(2).execute()
  const refused = (message: string, code: Problem['code']) => invalid([{ field: 'acme_account_id', message, code }])
  if (found.length === 1) return found[0]
  if (found.length > 1) throw refused('is required: the workspace has several ACME accounts', 'REQUIRED')
  if (acme_account_id !== null) throw refused('no such ACME account in this workspace', 'UNKNOWN_REFERENCE')
  throw refused('is required: add an ACME account first', 'REQUIRED')
}
