import { ApiError } from '@nxmesh/api/errors'
import type { DeliveryFilters } from '@nxmesh/api/routes/notifications'
import type { NotificationDelivery } from '@nxmesh/model/notification-channel'
import type { Kysely } from 'kysely'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import { databaseTime } from '../db/portable.ts'
import type { Database } from '../db/schema.ts'
import type { DeliveryRow } from '../db/schema-events.ts'
import { transaction } from '../db/transaction.ts'
import { rangeOf } from '../page.ts'
import { endBeyond, mostWaiting } from './bound.ts'
import { newDelivery } from './fan-out.ts'

const keptFor = 7 * 24 * 3_600_000
const keptOfEach = 10_000

export async function listDeliveries(ctx: Ctx, channelId: string, { state, ...paging }: DeliveryFilters) {
  const all = ctx.db.selectFrom('notification_deliveries').where('channel_id', '=', channelId)
  const found = state === 'all' ? all : all.where('state', '=', state)
  const { limit, offset } = rangeOf(paging)
  const rows = await found.selectAll().orderBy('id', 'desc').limit(limit).offset(offset).execute()
  const { total } = await found.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shownDelivery), meta: { ...paging, total } }
}

/** Delivers an event once more, under the id that it had, also where it has arrived. */
export async function replayDelivery(ctx: Ctx, id: string): Promise<NotificationDelivery> {
  const row = await readRow(ctx.db, id)
  return transaction(
    ctx,
    async ({ db, onCommit }) => {
      const channel = await db
        .selectFrom('notification_channels')
        .select(['id', 'name', 'kind', 'workspace_id', 'enabled'])
        .where('id', '=', row.channel_id)
        .executeTakeFirst()
      if (!channel) throw new ApiError('NOT_FOUND', 'notification delivery not found')
      if (channel.enabled === 0) throw new ApiError('CONFLICT', 'the channel is disabled: enable it first')
      const { event_id, event_type, event_at, body } = row
      const again: DeliveryRow = { ...newDelivery(ctx, channel, timestamp(ctx)), event_id, event_type, event_at, body, replay_of: id }
      await db
        .insertInto('notification_deliveries')
        .values({ ...again, next_attempt_at: databaseTime(db) })
        .execute()
      await endBeyond(ctx, { db, onCommit }, channel, mostWaiting)
      const object = { kind: 'notification-channel', id: channel.id, name: channel.name }
      await audit(ctx, db, { workspaceId: channel.workspace_id, object, after: { event_id, event_type, replay_of: id } })
      onCommit(() => ctx.wake('notifications'))
      return shownDelivery(again)
    },
    row.workspace_id,
  )
}

/** Lets go of deliveries that are over: those of a week ago, and of each channel those beyond the newest. */
export async function deleteOldDeliveries({ db, now }: Pick<Ctx, 'db' | 'now'>, most: number = keptOfEach): Promise<number> {
  const over = () => db.deleteFrom('notification_deliveries').where('state', '!=', 'pending')
  const before = new Date(now() - keptFor).toISOString()
  let deleted = Number((await over().where('created_at', '<', before).executeTakeFirstOrThrow()).numDeletedRows)
  for (let page = await channelsAfter(db, ''); page.length > 0; page = await channelsAfter(db, page.at(-1)!)) {
    for (const id of page) {
      const own = db.selectFrom('notification_deliveries').select('id').where('channel_id', '=', id)
      const last = await own.orderBy('id', 'desc').limit(1).offset(most).executeTakeFirst()
      if (!last) continue
      const beyond = over().where('channel_id', '=', id).where('id', '<=', last.id)
      deleted += Number((await beyond.executeTakeFirstOrThrow()).numDeletedRows)
    }
  }
  return deleted
}

async function channelsAfter(db: Kysely<Database>, id: string): Promise<string[]> {
  const rows = await db.selectFrom('notification_channels').select('id').where('id', '>', id).orderBy('id').limit(500).execute()
  return rows.map((row) => row.id)
}

async function readRow(db: Kysely<Database>, id: string): Promise<DeliveryRow> {
  const row = await db.selectFrom('notification_deliveries').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'notification delivery not found')
  return row
}

export function shownDelivery({ workspace_id: _workspace, body: _body, ...row }: DeliveryRow): NotificationDelivery {
  return row
}
