import type { EventData, EventType } from '@nxmesh/api/events'
import type { Insertable, Transaction } from 'kysely'
import { sql } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import type { Database } from '../db/schema.ts'
import type { Tx } from '../db/transaction.ts'
import { uuidv7 } from '../uuid.ts'

/** Something to tell the listeners of a workspace. */
export interface Tiding {
  type: EventType
  workspaceId: string
  at: string
  data: object
}

/** Says what happened in a workspace. It is written with the transaction and told once that has committed. */
export function tell<T extends EventType>(
  ctx: Pick<Ctx, 'now' | 'wake'>,
  { tidings, onCommit }: Pick<Tx, 'tidings' | 'onCommit'>,
  workspaceId: string,
  type: T,
  data: EventData<T>,
): void {
  if (tidings.length === 0) onCommit(() => ctx.wake('events'))
  tidings.push({ type, workspaceId, at: timestamp(ctx), data })
}

const perStatement = 500

/**
 * Writes events as the last thing that a transaction does. From the first statement on it holds the one counter, so no other
 * transaction with events commits before it, and a reader that sees a number sees all below it. Those of a workspace that is
 * gone are let go.
 */
export async function appendEvents(trx: Transaction<Database>, tidings: readonly Tiding[]): Promise<number> {
  if (tidings.length === 0) return 0
  const organizations = await organizationsOf(trx, tidings)
  const known = tidings.filter(({ workspaceId }) => organizations.has(workspaceId))
  if (known.length === 0) return 0
  const { last } = await trx
    .insertInto('event_counter')
    .values({ name: 'events', last: known.length })
    .onConflict((conflict) => conflict.column('name').doUpdateSet({ last: sql`event_counter.last + excluded.last` }))
    .returning('last')
    .executeTakeFirstOrThrow()
  const first = last - known.length + 1
  const rows = known.map(
    ({ type, workspaceId, at, data }, index): Insertable<Database['events']> => ({
      seq: first + index,
      id: uuidv7(Date.parse(at)),
      organization_id: organizations.get(workspaceId)!,
      workspace_id: workspaceId,
      type,
      at,
      data: JSON.stringify(data),
    }),
  )
  for (let from = 0; from < rows.length; from += perStatement) {
    await trx
      .insertInto('events')
      .values(rows.slice(from, from + perStatement))
      .execute()
  }
  return rows.length
}

async function organizationsOf(trx: Transaction<Database>, tidings: readonly Tiding[]): Promise<Map<string, string>> {
  const found = new Map<string, string>()
  for (const ids of inLists(tidings.map(({ workspaceId }) => workspaceId))) {
    const rows = await trx.selectFrom('workspaces').select(['id', 'organization_id']).where('id', 'in', ids).execute()
    for (const { id, organization_id } of rows) found.set(id, organization_id)
  }
  return found
}
