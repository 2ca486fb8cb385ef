import { isOfPattern } from '@nxmesh/api/events'
import { isAtLeast } from '@nxmesh/model/severity'
import type { Insertable, Kysely } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import { databaseTime, forUpdate } from '../db/portable.ts'
import type { Database } from '../db/schema.ts'
import type { ChannelRow } from '../db/schema-events.ts'
import { begin, type Tx } from '../db/transaction.ts'
import { eventsAfter, type Told } from '../events/log.ts'
import { uuidv7 } from '../uuid.ts'
import { endBeyond } from './bound.ts'

const columns = ['id', 'workspace_id', 'kind', 'events', 'min_severity', 'begins_after'] as const
type Channel = Pick<ChannelRow, (typeof columns)[number]>
type Delivery = Insertable<Database['notification_deliveries']>

const perPage = 200
const perStatement = 50
// Beside the counter that events take their numbers from: up to which of them deliveries have been made.
const cursorName = 'notifications'

/**
 * Makes deliveries of the next events: the cursor moves in the transaction that writes them, so each event is made deliveries
 * of once, whichever master gets to it. Of those that wait for one channel the newest `most` stay. Returns how many events were dealt with.
 */
export async function fanOut(ctx: Pick<Ctx, 'db' | 'now' | 'log' | 'monitoring'>, most: number): Promise<number> {
  const present = await enabledChannels(ctx.db)
  if (present.length === 0) return 0
  const cursor = await cursorOf(ctx.db)
  const from = Math.max(cursor ?? 0, Math.min(...present.map((channel) => channel.begins_after)))
  const page = await eventsAfter(ctx.db, from, perPage)
  const last = page.at(-1)
  if (!last) return 0
  // Read after the events: a channel that was made between the two is there for what happened since.
  const channels = await enabledChannels(ctx.db)
  const wanted = page.flatMap((event) => channels.filter((channel) => wants(channel, event)).map((channel) => ({ channel, event })))
  await begin(ctx.db, async (tx) => {
    if (!(await moveCursor(tx, cursor, last.seq))) return
    const enabled = await hold(tx, new Set(wanted.map(({ channel }) => channel.id)))
    const at = timestamp(ctx)
    const rows = wanted.filter(({ channel }) => enabled.has(channel.id)).map(({ channel, event }) => deliveryOf(ctx, channel, event, at))
    await insertDeliveries(tx.db, rows)
    for (const channel of new Set(wanted.map((each) => each.channel))) await endBeyond(ctx, tx, channel, most)
  })
  return page.length
}

async function enabledChannels(db: Kysely<Database>): Promise<Channel[]> {
  return db.selectFrom('notification_channels').select(columns).where('enabled', '=', 1).execute()
}

/** Whether a channel is to be told of an event. */
function wants({ workspace_id, events, min_severity, begins_after }: Channel, event: Told): boolean {
  if (event.workspace_id !== workspace_id || event.seq <= begins_after) return false
  if (!(JSON.parse(events) as string[]).some((pattern) => isOfPattern(pattern, event.type))) return false
  return event.severity === undefined || isAtLeast(event.severity, min_severity)
}

async function cursorOf(db: Kysely<Database>): Promise<number | undefined> {
  return (await db.selectFrom('event_counter').select('last').where('name', '=', cursorName).executeTakeFirst())?.last
}

async function moveCursor({ db }: Tx, from: number | undefined, to: number): Promise<boolean> {
  if (from === undefined) {
    const inserted = db.insertInto('event_counter').values({ name: cursorName, last: to })
    return (await inserted.onConflict((conflict) => conflict.doNothing()).executeTakeFirstOrThrow()).numInsertedOrUpdatedRows === 1n
  }
  const moved = db.updateTable('event_counter').set({ last: to }).where('name', '=', cursorName).where('last', '=', from)
  return (await moved.executeTakeFirstOrThrow()).numUpdatedRows === 1n
}

// Whoever disables a channel ends its deliveries: none must come after that.
async function hold({ db }: Tx, ids: Set<string>): Promise<Set<string>> {
  const held = new Set<string>()
  for (const some of inLists([...ids])) {
    const query = db.selectFrom('notification_channels').select('id').where('id', 'in', some).where('enabled', '=', 1).orderBy('id')
    for (const { id } of await forUpdate(db, query).execute()) held.add(id)
  }
  return held
}

function deliveryOf(ctx: Pick<Ctx, 'now'>, channel: Channel, event: Told, at: string): Delivery {
  return {
    ...newDelivery(ctx, channel, at),
    event_id: event.id,
    event_type: event.type,
    event_at: event.at,
    body: event.frame.toString('utf8'),
  }
}

/** What a delivery is before anything was tried. */
export function newDelivery(ctx: Pick<Ctx, 'now'>, channel: Pick<ChannelRow, 'id' | 'workspace_id'>, at: string) {
  const nothing = { attempts: 0, last_attempt_at: null, status: null, response: null, error: null, duration_ms: null, replay_of: null }
  const place = { id: uuidv7(ctx.now()), channel_id: channel.id, workspace_id: channel.workspace_id }
  return { ...place, state: 'pending' as const, ...nothing, next_attempt_at: at, created_at: at }
}

async function insertDeliveries(db: Kysely<Database>, rows: Delivery[]): Promise<void> {
  for (let from = 0; from < rows.length; from += perStatement) {
    await db
      .insertInto('notification_deliveries')
      .values(rows.slice(from, from + perStatement).map((row) => ({ ...row, next_attempt_at: databaseTime(db) })))
      .execute()
  }
}
