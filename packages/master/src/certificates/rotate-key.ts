import { ApiError } from '@nxmesh/api/errors'
import type { AcmeAccount } from '@nxmesh/model/acme-account'
import type { Actor } from '../access.ts'
import { audit } from '../audit.ts'
import { changeConfig } from '../change.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { AcmeAccountRow } from '../db/schema-certificates.ts'
import type { Tagged } from '../etag.ts'
import { readAccountRow, shownAccount, taggedAccount } from './account-row.ts'
import { objectOf } from './accounts.ts'
import { newAccountKey, thumbprintOf } from './acme/account-key.ts'
import { type AcmeProblem, type AcmeResult, explainProblem } from './acme/problem.ts'
import { configChange, replaceRow, servedOf } from './row.ts'

/**
 * Gives an account a new key at its server, and then the agents its thumbprint. The new key is kept before the server is told, so a master
 * that dies in between finds out later which of the two the server knows.
 */
export async function rotateKey(ctx: Ctx, actor: Pick<Actor, 'email'>, id: string): Promise<Tagged<AcmeAccount>> {
  await requireNoOrders(ctx, id)
  const row = await withNextKey(ctx, await readAccountRow(ctx.db, id))
  const told = row.url === null ? { ok: true as const } : await tellServer(ctx, row)
  if (!told.ok) {
    const { message, fix } = explainProblem(told.problem)
    throw new ApiError('SERVICE_UNAVAILABLE', `the ACME server did not take the new key: ${message} ${fix}`)
  }
  return taggedAccount(await adoptNextKey(ctx, actor, row))
}

/** Finishes a rotation that was broken off; the row as it is afterwards. */
export async function finishRotation(ctx: Ctx, row: AcmeAccountRow): Promise<AcmeResult<AcmeAccountRow>> {
  const told = await tellServer(ctx, row)
  return told.ok ? { ok: true, value: await adoptNextKey(ctx, { email: 'nxmesh-master' }, row) } : told
}

async function requireNoOrders({ db }: Ctx, id: string): Promise<void> {
  const open = await db
    .selectFrom('certificate_orders')
    .select('id')
    .where('acme_account_id', '=', id)
    .where('ended_at', 'is', null)
    .limit(1)
    .executeTakeFirst()
  if (open) throw new ApiError('CONFLICT', 'an order of this account is under way: wait until it has ended')
}

async function withNextKey(ctx: Ctx, row: AcmeAccountRow): Promise<AcmeAccountRow> {
  if (row.sealed_next_key !== null) return row
  await ctx.db
    .updateTable('acme_accounts')
    .set({ sealed_next_key: ctx.secrets.seal(newAccountKey()) })
    .where('id', '=', row.id)
    .where('sealed_next_key', 'is', null)
    .execute()
  return readAccountRow(ctx.db, row.id)
}

async function tellServer(ctx: Ctx, row: AcmeAccountRow): Promise<{ ok: true } | { ok: false; problem: AcmeProblem }> {
  const client = ctx.acme.clientOf(row)
  const [key, next] = [ctx.secrets.open(row.sealed_key), ctx.secrets.open(row.sealed_next_key!)]
  const rolled = await client.rollKey({ url: row.url!, keyPem: key }, next)
  if (rolled.ok || rolled.problem.type === 'unreachable') return rolled.ok ? { ok: true } : rolled
  // It may have been told by an earlier attempt.
  const known = await client.find(next)
  return known.ok && known.value.url === row.url ? { ok: true } : rolled
}

async function adoptNextKey(ctx: Ctx, actor: Pick<Actor, 'email'>, { id, workspace_id }: AcmeAccountRow): Promise<AcmeAccountRow> {
  return changeConfig(ctx, actor, workspace_id, async ({ db }) => {
    const before = await readAccountRow(db, id)
    if (before.sealed_next_key === null) return { result: before, changes: [], summary: '' }
    const thumbprint = thumbprintOf(ctx.secrets.open(before.sealed_next_key))
    const changed = { sealed_key: before.sealed_next_key, sealed_next_key: null, thumbprint }
    const after: AcmeAccountRow = { ...before, ...changed, updated_at: timestamp(ctx), revision: before.revision + 1 }
    await db.updateTable('acme_accounts').set(after).where('id', '=', id).execute()
    const rows = await db.selectFrom('certificates').selectAll().where('acme_account_id', '=', id).execute()
    const changes = []
    for (const row of rows) {
      const served = servedOf(row)
      if (served.thumbprint === null) continue
      const doc = JSON.stringify({ ...served, thumbprint, updated_at: timestamp(ctx) })
      const moved = { ...row, doc, updated_at: timestamp(ctx), revision: row.revision + 1 }
      await replaceRow(db, moved)
      changes.push(configChange(row, moved))
    }
    const deed = { object: objectOf(after), before: shownAccount(before), after: shownAccount(after) }
    // Without a certificate to serve anew there is no new version.
    if (changes.length === 0) await audit(ctx, db, { workspaceId: workspace_id, ...deed })
    return { result: after, changes, summary: `new key of ACME account "${after.name}"`, deed }
  })
}
