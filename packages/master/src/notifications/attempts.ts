import { type Kysely, sql } from 'kysely'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import { databaseTime } from '../db/portable.ts'
import type { Database } from '../db/schema.ts'
import type { ChannelRow, DeliveryRow } from '../db/schema-events.ts'
import { begin, type Tx } from '../db/transaction.ts'
import type { Outcome } from './outcome.ts'
import { mostAttempts } from './schedule.ts'

/** The channels that have something to deliver now. */
export async function dueChannels(db: Kysely<Database>): Promise<ChannelRow[]> {
  return db
    .selectFrom('notification_channels as c')
    .selectAll()
    .where('enabled', '=', 1)
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom('notification_deliveries as d')
          .select('d.id')
          .whereRef('d.channel_id', '=', 'c.id')
          .where('d.state', '=', sql.lit('pending'))
          .where('d.next_attempt_at', '<=', databaseTime(db)),
      ),
    )
    .execute()
}

/** Takes deliveries that are due for `lease` seconds, in which no other master tries them: the time of their next attempt moves on first. */
export async function claim({ db, now }: Pick<Ctx, 'db' | 'now'>, channelId: string, most: number, lease: number): Promise<DeliveryRow[]> {
  return (
    db
      .updateTable('notification_deliveries')
      .set((eb) => ({ attempts: eb('attempts', '+', 1), last_attempt_at: timestamp({ now }), next_attempt_at: databaseTime(db, lease) }))
      .where('id', 'in', (eb) =>
        eb
          .selectFrom('notification_deliveries')
          .select('id')
          .where('channel_id', '=', channelId)
          .where('state', '=', sql.lit('pending'))
          .where('next_attempt_at', '<=', databaseTime(db))
          .orderBy('next_attempt_at')
          .limit(most),
      )
      // Once more for PostgreSQL, which waits here for a master that was faster.
      .where('state', '=', 'pending')
      .where('next_attempt_at', '<=', databaseTime(db))
      .returningAll()
      .execute()
  )
}

/** Gives back what was not tried to the end. */
export async function release({ db }: Pick<Ctx, 'db'>, { id, attempts }: DeliveryRow): Promise<void> {
  await db
    .updateTable('notification_deliveries')
    .set({ attempts: attempts - 1, next_attempt_at: databaseTime(db) })
    .where('id', '=', id)
    .where('attempts', '=', attempts)
    .where('state', '=', 'pending')
    .execute()
}

type Tried = Outcome & { duration_ms: number }

/** Writes what came of an attempt, unless somebody else has taken it over meanwhile. */
export async function settle(ctx: Ctx, channel: ChannelRow, delivery: DeliveryRow, tried: Tried, backoff: (attempt: number) => number) {
  await begin(ctx.db, async (tx) => {
    const { db } = tx
    const over = tried.result !== 'failed' || delivery.attempts >= mostAttempts
    const wait = Math.max(backoff(delivery.attempts), tried.retryAfter)
    const { numUpdatedRows } = await db
      .updateTable('notification_deliveries')
      .set({ ...factsOf(tried), state: tried.result === 'delivered' ? 'delivered' : over ? 'failed' : 'pending' })
      .set({ next_attempt_at: over ? null : databaseTime(db, wait) })
      .where('id', '=', delivery.id)
      .where('attempts', '=', delivery.attempts)
      .where('state', '=', 'pending')
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 1n) await follow(ctx, tx, channel, tried)
  })
}

/** What the log keeps of an attempt. */
export function factsOf({ status, response, error, duration_ms }: Tried) {
  return { status, response, error, duration_ms }
}

async function follow(ctx: Ctx, tx: Tx, channel: ChannelRow, { result, error }: Tried): Promise<void> {
  const row = tx.db.updateTable('notification_channels').where('id', '=', channel.id)
  if (result === 'delivered') {
    await row.set({ failing_since: null, last_error: null }).where('failing_since', 'is not', null).execute()
    return
  }
  const since = timestamp(ctx)
  await row.set((eb) => ({ failing_since: eb.fn.coalesce('failing_since', eb.val(since)), last_error: error })).execute()
  if (result === 'gone') await disable(ctx, tx, channel)
}

// The receiver has said that it wants no more: it is not asked again until somebody enables the channel.
async function disable(ctx: Ctx, { db }: Tx, { id, name, workspace_id }: ChannelRow): Promise<void> {
  const reason = 'the receiver answered 410 Gone'
  const disabled = db
    .updateTable('notification_channels')
    .set((eb) => ({ enabled: 0, disabled_reason: reason, updated_at: timestamp(ctx), revision: eb('revision', '+', 1) }))
    .where('id', '=', id)
    .where('enabled', '=', 1)
  if ((await disabled.executeTakeFirstOrThrow()).numUpdatedRows === 0n) return
  await endPending(db, id)
  const object = { kind: 'notification-channel', id, name }
  const deed = { workspaceId: workspace_id, action: 'notification-channel.disable', object }
  await audit(ctx, db, { ...deed, before: { enabled: true }, after: { enabled: false, disabled_reason: reason } })
  ctx.log.warn({ channel: id }, 'notification channel disabled: its receiver answered 410')
}

/** Ends what a channel that is disabled had still to deliver. */
export async function endPending(db: Kysely<Database>, channelId: string): Promise<void> {
  await db
    .updateTable('notification_deliveries')
    .set({ state: 'failed', next_attempt_at: null, error: 'the channel was disabled' })
    .where('channel_id', '=', channelId)
    .where('state', '=', 'pending')
    .execute()
}
