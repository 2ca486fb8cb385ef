import { type EventEnvelope, earliest } from '@nxmesh/api/events'
import type { Kysely } from 'kysely'
import type { Ctx } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { EventRow } from '../db/schema-events.ts'

type Db = Kysely<Database>

/** An event on its way to listeners, put into words once for all of them. */
export interface Told extends Pick<EventRow, 'seq' | 'id' | 'type' | 'organization_id' | 'workspace_id' | 'at'> {
  agentId: string | undefined
  /** How bad what it tells of is, where it tells of an alert. */
  severity: string | undefined
  readonly frame: Buffer
}

const kept = 200_000
const keptFor = 7 * 24 * 3_600_000
const perDeletion = 5000

/** The number of the newest event. */
export async function newestOf(db: Db): Promise<number> {
  return (await db.selectFrom('event_counter').select('last').where('name', '=', 'events').executeTakeFirst())?.last ?? 0
}

/** The number of the oldest event that is kept; one more than the newest where none is. */
export async function oldestOf(db: Db): Promise<number> {
  const oldest = await db.selectFrom('events').select('seq').where('seq', '>', 0).orderBy('seq').limit(1).executeTakeFirst()
  return oldest?.seq ?? (await newestOf(db)) + 1
}

/** Where a listener stands that saw this event last, or undefined when it is not known any longer. */
export async function placeOf(db: Db, cursor: string): Promise<number | undefined> {
  if (cursor === earliest) return (await oldestOf(db)) - 1
  return (await db.selectFrom('events').select('seq').where('id', '=', cursor).executeTakeFirst())?.seq
}

/** The events after a number in their order, of one workspace or of all. */
export async function eventsAfter(db: Db, seq: number, limit: number, workspaceId?: string): Promise<Told[]> {
  const all = db.selectFrom('events').selectAll().where('seq', '>', seq).orderBy('seq').limit(limit)
  return (await (workspaceId === undefined ? all : all.where('workspace_id', '=', workspaceId)).execute()).map(told)
}

/** The last events before and including a number, newest first. */
export async function eventsUpTo(db: Db, seq: number, limit: number): Promise<Told[]> {
  return (await db.selectFrom('events').selectAll().where('seq', '<=', seq).orderBy('seq', 'desc').limit(limit).execute()).map(told)
}

/**
 * Lets the oldest events go: those beyond the number that is kept and those of a week ago, but never the newest. Always all up
 * to some number, so that whoever stands at an event that is kept misses none after it.
 */
export async function deleteOldEvents({ db, now }: Pick<Ctx, 'db' | 'now'>, most: number = kept): Promise<number> {
  const newest = await newestOf(db)
  const { old } = await db
    .selectFrom('events')
    .select((eb) => eb.fn.max<number | null>('seq').as('old'))
    .where('at', '<', new Date(now() - keptFor).toISOString())
    .executeTakeFirstOrThrow()
  const last = Math.min(Math.max(newest - most, old ?? 0), newest - 1)
  let deleted = 0
  for (let from = await oldestOf(db); from <= last; from += perDeletion) {
    const upTo = Math.min(last, from + perDeletion - 1)
    deleted += Number((await db.deleteFrom('events').where('seq', '<=', upTo).executeTakeFirstOrThrow()).numDeletedRows)
  }
  return deleted
}

function told({ at, data: text, ...row }: EventRow): Told {
  const data = JSON.parse(text) as EventEnvelope['data']
  let frame: Buffer | undefined
  return {
    ...row,
    at,
    agentId: typeof data['agent_id'] === 'string' ? data['agent_id'] : undefined,
    severity: typeof data['severity'] === 'string' ? data['severity'] : undefined,
    get frame() {
      const { id, type, workspace_id } = row
      frame ??= Buffer.from(JSON.stringify({ id, type, timestamp: at, workspace_id, data } satisfies EventEnvelope))
      return frame
    },
  }
}
