import type { Paging } from '@nxmesh/api/route'
import { type CertificateOrder } from '@nxmesh/model/certificate'
import { type Kysely, sql, type Updateable } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import { databaseTime } from '../db/portable.ts'
import { prepared } from '../db/prepared.ts'
import type { Database } from '../db/schema.ts'
import type { CertificateOrderRow, CertificateOrders, CertificateRow } from '../db/schema-certificates.ts'
import { rangeOf } from '../page.ts'
import { uuidv7 } from '../uuid.ts'
import { shownOrder } from './shown.ts'

type Db = Kysely<Database>

const day = 86_400_000
const keptFor = 90 * day

/** Seconds for which an order is its master's own; longer than a step takes, and ended by the master's own end. */
const lease = 120

const readOpen = prepared((db, certificateId: string) =>
  db.selectFrom('certificate_orders').selectAll().where('certificate_id', '=', certificateId).where('ended_at', 'is', null),
)

/** The order of a certificate that is under way. */
export async function openOrderOf(db: Db, certificateId: string): Promise<CertificateOrderRow | undefined> {
  const [row] = await readOpen(db, certificateId)
  return row
}

/** The orders of a certificate, newest first. */
export async function listOrders(ctx: Ctx, certificateId: string, paging: Paging) {
  const all = ctx.db.selectFrom('certificate_orders').where('certificate_id', '=', certificateId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at', 'desc').orderBy('id', 'desc').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row): CertificateOrder => shownOrder(row)), meta: { ...paging, total } }
}

/** Begins an order; `key` is what the certificate will be for. Where one is under way already, the database refuses it. */
export async function insertOrder(
  ctx: Pick<Ctx, 'now' | 'secrets'>,
  db: Db,
  { id, workspace_id, acme_account_id }: Pick<CertificateRow, 'id' | 'workspace_id' | 'acme_account_id'>,
  key: string,
  skipPreflight = false,
): Promise<void> {
  const row: CertificateOrderRow = {
    id: uuidv7(ctx.now()),
    certificate_id: id,
    workspace_id,
    acme_account_id,
    step: 'preflight',
    url: null,
    sealed_key: ctx.secrets.seal(key),
    authorizations: '[]',
    skip_preflight: skipPreflight ? 1 : 0,
    begun_at: null,
    attempt: 0,
    next_at: timestamp(ctx),
    leased_by: null,
    leased_until: null,
    outcome: null,
    error: null,
    created_at: timestamp(ctx),
    ended_at: null,
  }
  await db.insertInto('certificate_orders').values(row).execute()
}

/**
 * Takes orders that are due for this master. What another master has taken is free again when that master is gone from the
 * masters of the database, or has not kept it.
 */
export async function claimOrders(
  { db, now, masterId }: Pick<Ctx, 'db' | 'now' | 'masterId'>,
  most: number,
): Promise<CertificateOrderRow[]> {
  const due = timestamp({ now })
  const free = db
    .selectFrom('certificate_orders')
    .select('id')
    .where('ended_at', 'is', null)
    .where('next_at', '<=', due)
    .where(isFree(db))
    .orderBy('next_at')
    .limit(most)
  return (
    db
      .updateTable('certificate_orders')
      .set((eb) => ({ leased_by: masterId, leased_until: databaseTime(db, lease), attempt: eb('attempt', '+', 1) }))
      .where('id', 'in', free)
      // Once more for PostgreSQL, which waits here for a master that was faster.
      .where('ended_at', 'is', null)
      .where('next_at', '<=', due)
      .where(isFree(db))
      .returningAll()
      .execute()
  )
}

function isFree(db: Db) {
  return sql<boolean>`(leased_by is null or leased_until < ${databaseTime(db)} or leased_by not in (select id from masters))`
}

/** Writes how far an order has come and keeps it for this master; undefined where it is no longer this master's. */
export async function saveOrder(
  { db }: Pick<Ctx, 'db'>,
  { id, leased_by, attempt }: CertificateOrderRow,
  changes: Updateable<CertificateOrders>,
): Promise<CertificateOrderRow | undefined> {
  return db
    .updateTable('certificate_orders')
    .set({ leased_until: databaseTime(db, lease), ...changes })
    .where('id', '=', id)
    .where('leased_by', '=', leased_by)
    .where('attempt', '=', attempt)
    .where('ended_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
}

/** Deletes the orders that ended more than ninety days ago. */
export async function deleteOldOrders(ctx: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const { numDeletedRows } = await ctx.db
    .deleteFrom('certificate_orders')
    .where('ended_at', 'is not', null)
    .where('ended_at', '<', new Date(ctx.now() - keptFor).toISOString())
    .executeTakeFirst()
  return Number(numDeletedRows)
}
