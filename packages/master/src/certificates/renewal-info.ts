import { createHash } from 'node:crypto'
import { type Ctx, timestamp } from '../ctx.ts'
import type { CertificateRow } from '../db/schema-certificates.ts'
import { due } from './due.ts'
import { askedAgain, wishedTime } from './renewal.ts'
import { servedOf } from './row.ts'

/** Asks the CAs that say so when they want their certificates renewed. Source: RFC 9773 section 4. */
export async function askRenewalInfo(ctx: Ctx, signal: AbortSignal): Promise<void> {
  for (const row of await due(ctx.db, 'renewal_info_due_at', timestamp(ctx))) {
    if (signal.aborted) return
    await ask(ctx, row)
  }
}

async function ask(ctx: Ctx, row: CertificateRow): Promise<void> {
  const account =
    row.acme_account_id && (await ctx.db.selectFrom('acme_accounts').selectAll().where('id', '=', row.acme_account_id).executeTakeFirst())
  const pem = servedOf(row).certificate_pem
  const nobody = { ok: true, value: null } as const
  const asked = account && pem !== null ? await ctx.acme.clientOf(account).renewalInfo(pem) : nobody
  const info = asked.ok ? asked.value : undefined
  const again = info === null ? null : askedAgain(ctx.now(), asked.ok ? (info?.retryAt ?? null) : asked.problem.retryAt)
  // After a failure, the wait for the next try is what counts: the CA may have asked for it, and takes no more orders meanwhile.
  const isMoved = info && row.order_due_at !== null && row.failures === 0
  const wished = isMoved ? { order_due_at: await wishedBy(ctx, row, info) } : {}
  await ctx.db
    .updateTable('certificates')
    .set({ renewal_info_due_at: again === null ? null : new Date(again).toISOString(), ...wished })
    .where('id', '=', row.id)
    // A renewal that has begun meanwhile is not put off.
    .where('order_due_at', row.order_due_at === null ? 'is' : '=', row.order_due_at)
    .execute()
}

async function wishedBy({ db }: Ctx, row: CertificateRow, { start, end }: { start: string; end: string }): Promise<string> {
  const { id, not_before, expires_at } = row
  const issued = await db
    .selectFrom('certificate_orders')
    .select('ended_at')
    .where('certificate_id', '=', id)
    .where('outcome', '=', 'issued')
    .orderBy('created_at', 'desc')
    .limit(2)
    .execute()
  const life = { notBefore: Date.parse(not_before!), notAfter: Date.parse(expires_at!) }
  const before = issued[1] && Date.parse(issued[1].ended_at!)
  const window = { start: Date.parse(start), end: Date.parse(end) }
  return new Date(wishedTime(window, { ...life, before, random: shareOf(row) })).toISOString()
}

// The same each time, so that asking again does not move a renewal about in its window.
function shareOf({ id, expires_at }: CertificateRow): number {
  return createHash('sha256').update(`${id} ${expires_at}`).digest().readUInt32BE() / 2 ** 32
}
