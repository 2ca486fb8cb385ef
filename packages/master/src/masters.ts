import type { Kysely } from 'kysely'
import type { Ctx } from './ctx.ts'
import { databaseTime, engineOf } from './db/portable.ts'
import type { Database } from './db/schema.ts'
import { begin } from './db/transaction.ts'
import { tell } from './events/outbox.ts'
import type { Reconciler } from './reconcilers.ts'

type Teller = Pick<Ctx, 'db' | 'now' | 'wake'>

const beat = 5000
const silence = 30

/**
 * Enters a master among those of its database. Agents whose master is gone are offline until they come back; the embedded
 * database has one master, so every other one is gone.
 */
export async function joinMasters(ctx: Teller, id: string): Promise<void> {
  const { db } = ctx
  if (engineOf(db) === 'sqlite') await db.deleteFrom('masters').execute()
  await beSeen(db, id)
  await forgetSilent(ctx)
}

/** Takes a master out that stops as asked. */
export async function leaveMasters(db: Kysely<Database>, id: string): Promise<void> {
  await db.deleteFrom('masters').where('id', '=', id).execute()
}

/** Keeps this master seen, and forgets those that were not for half a minute. */
export function mastersReconciler(ctx: Teller & Pick<Ctx, 'masterId'>): Reconciler {
  return {
    name: 'masters',
    every: beat,
    async run() {
      await beSeen(ctx.db, ctx.masterId)
      return { offline: await forgetSilent(ctx) }
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

async function forgetSilent(ctx: Teller): Promise<number> {
  const { db } = ctx
  await db.deleteFrom('masters').where('seen_at', '<', databaseTime(db, -silence)).execute()
  return begin(db, async (tx) => {
    const rows = await tx.db
      .updateTable('agents')
      .set({ connected: 0, state: 'offline', state_reason: null })
      .where('connected', '=', 1)
      .where((eb) => eb.or([eb('master_id', 'is', null), eb('master_id', 'not in', eb.selectFrom('masters').select('id'))]))
      .returning(['id', 'workspace_id'])
      .execute()
    for (const { id, workspace_id } of rows) {
      tell(ctx, tx, workspace_id, 'agent.disconnected', { agent_id: id, reason: 'master_lost' })
    }
    return rows.length
  })
}
