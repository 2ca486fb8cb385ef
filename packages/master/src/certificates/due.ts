import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { CertificateRow } from '../db/schema-certificates.ts'
import { begin } from '../db/transaction.ts'
import { isDuplicate } from '../db/trouble.ts'
import { tell } from '../events/outbox.ts'
import { newCertificateKey } from './acme/csr.ts'
import { install, itself } from './install.ts'
import { insertOrder } from './orders.ts'
import { warningTimes } from './renewal.ts'
import { servedOf } from './row.ts'
import { selfSigned } from './workspace-authority.ts'

type Db = Kysely<Database>

const perRun = 100

/** Begins the orders and renewals whose time has come. */
export async function beginDue(ctx: Ctx): Promise<number> {
  const rows = await due(ctx.db, 'order_due_at', timestamp(ctx))
  for (const row of rows) {
    if (row.provider === 'self_signed')
      await install(ctx, itself, row, await selfSigned(ctx, row.workspace_id, servedOf(row).names, row.key_type))
    else await order(ctx, row)
  }
  return rows.length
}

async function order(ctx: Ctx, row: CertificateRow): Promise<void> {
  const key = await newCertificateKey(row.key_type)
  try {
    await begin(ctx.db, async ({ db }) => {
      const taken = await db
        .updateTable('certificates')
        .set({ order_due_at: null })
        .where('id', '=', row.id)
        .where('order_due_at', '=', row.order_due_at)
        .executeTakeFirst()
      if (taken.numUpdatedRows === 1n) await insertOrder(ctx, db, row, key)
    })
  } catch (error) {
    // One is under way already: what comes of it says when the next is due.
    if (!isDuplicate(error)) throw error
    await ctx.db.updateTable('certificates').set({ order_due_at: null }).where('id', '=', row.id).execute()
  }
}

/** Tells of certificates that end soon, and of those that have ended. */
export async function tellEnding(ctx: Ctx): Promise<number> {
  const rows = await due(ctx.db, 'warn_at', timestamp(ctx))
  for (const row of rows) {
    const { id, name, workspace_id, not_before, expires_at, warn_at } = row
    const notAfter = Date.parse(expires_at!)
    const next = warningTimes({ notBefore: Date.parse(not_before!), notAfter }).find((time) => time > ctx.now())
    await begin(ctx.db, async (tx) => {
      const told = tx.db.updateTable('certificates').set({ warn_at: next === undefined ? null : new Date(next).toISOString() })
      const { numUpdatedRows } = await told.where('id', '=', id).where('warn_at', '=', warn_at).executeTakeFirstOrThrow()
      if (numUpdatedRows === 0n) return
      const who = { certificate_id: id, name, expires_at: expires_at! }
      if (notAfter <= ctx.now()) tell(ctx, tx, workspace_id, 'certificate.expired', who)
      else tell(ctx, tx, workspace_id, 'certificate.expiring', { ...who, days_left: daysLeft(notAfter - ctx.now()) })
    })
  }
  return rows.length
}

function daysLeft(ms: number): number {
  return Math.round(ms / 8_640_000) / 10
}

/** The certificates of which something is due, what is due first before all else. */
export async function due(db: Db, column: 'order_due_at' | 'renewal_info_due_at' | 'warn_at', now: string): Promise<CertificateRow[]> {
  return db
    .selectFrom('certificates')
    .selectAll()
    .where(column, 'is not', null)
    .where(column, '<=', now)
    .orderBy(column)
    .limit(perRun)
    .execute()
}
