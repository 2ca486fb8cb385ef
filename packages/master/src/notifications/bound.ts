import type { ExpressionBuilder } from 'kysely'
import { sql } from 'kysely'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { ChannelRow } from '../db/schema-events.ts'
import type { Tx } from '../db/transaction.ts'

/** As many deliveries may wait for one channel. */
export const mostWaiting = 10_000

const untouchedMs = 60_000

/** Ends what has waited longest for a channel beyond `most`, but nothing that may be under way. */
export async function endBeyond(
  ctx: Pick<Ctx, 'now' | 'log' | 'monitoring'>,
  { db, onCommit }: Pick<Tx, 'db' | 'onCommit'>,
  { id, kind }: Pick<ChannelRow, 'id' | 'kind'>,
  most: number,
): Promise<void> {
  const waiting = db.selectFrom('notification_deliveries').where('channel_id', '=', id).where('state', '=', sql.lit('pending'))
  const { total } = await waiting.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  if (total <= most) return
  const before = new Date(ctx.now() - untouchedMs).toISOString()
  const isIdle = (eb: ExpressionBuilder<Database, 'notification_deliveries'>) =>
    eb.or([eb('last_attempt_at', 'is', null), eb('last_attempt_at', '<', before)])
  const oldest = waiting
    .select('id')
    .where(isIdle)
    .orderBy('id')
    .limit(total - most)
  const error = `it was let go: more than ${most} deliveries waited for the channel`
  const { numUpdatedRows } = await db
    .updateTable('notification_deliveries')
    .set({ state: 'failed', next_attempt_at: null, error })
    .where('id', 'in', oldest)
    // Once more for PostgreSQL, which waits here for a master that is about to try one.
    .where('state', '=', 'pending')
    .where(isIdle)
    .executeTakeFirstOrThrow()
  const dropped = Number(numUpdatedRows)
  if (dropped === 0) return
  onCommit(() => {
    ctx.monitoring.dropped(kind, dropped)
    ctx.log.warn({ channel: id, dropped, most }, 'too many deliveries wait for a notification channel: the oldest are let go')
  })
}
