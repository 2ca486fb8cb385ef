import type { Kysely } from 'kysely'
import type { Ctx } from './ctx.ts'
import { databaseTime, engineOf } from './db/portable.ts'
import type { Database } from './db/schema.ts'
import type { Reconciler } from './reconcilers.ts'

const beat = 5000
const silence = 30

/**
 * Enters a master among those of its database. Agents whose master is gone are offline until they come back; the embedded
 * database has one master, so every other one is gone.
 */
export async function joinMasters(db: Kysely<Database>, id: string): Promise<void> {
  if (engineOf(db) === 'sqlite') await db.deleteFrom('masters').execute()
  await beSeen(db, id)
  await forgetSilent(db)
}

/** Takes a master out that stops as asked. */
export async function leaveMasters(db: Kysely<Database>, id: string): Promise<void> {
  await db.deleteFrom('masters').where('id', '=', id).execute()
}

/** Keeps this master seen, and forgets those that were not for half a minute. */
export function mastersReconciler(ctx: Pick<Ctx, 'db' | 'masterId'>): Reconciler {
  return {
    name: 'masters',
    every: beat,
    async run() {
      await beSeen(ctx.db, ctx.masterId)
      return { offline: await forgetSilent(ctx.db) }
    },
  }
}

// By the database's clock, because those of the masters may differ.
async function beSeen(db: Kysely<Database>, id: string): Promise<void> {
  const seen_at = databaseTime(db)
  await db
    .insertInto('masters')
    .values({ id, seen_at })
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ seen_at }))
    .execute()
}

async function forgetSilent(db: Kysely<Database>): Promise<number> {
  await db.deleteFrom('masters').where('seen_at', '<', databaseTime(db, -silence)).execute()
  const { numUpdatedRows } = await db
    .updateTable('agents')
    .set({ connected: 0, state: 'offline', state_reason: null })
    .where('connected', '=', 1)
    .where((eb) => eb.or([eb('master_id', 'is', null), eb('master_id', 'not in', eb.selectFrom('masters').select('id'))]))
    .executeTakeFirstOrThrow()
  return Number(numUpdatedRows)
}
