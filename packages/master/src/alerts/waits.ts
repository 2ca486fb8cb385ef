import type { Kysely } from 'kysely'
import type { Ctx } from '../ctx.ts'
import { inLists } from '../db/in-list.ts'
import type { Database } from '../db/schema.ts'
import type { AlertWaitRow } from '../db/schema-events.ts'
import type { Waiting } from './transitions.ts'

/** What agents wait for: by the agent, since when the condition of each rule has held. */
export async function readWaiting({ db }: Pick<Ctx, 'db'>, agentIds: readonly string[]): Promise<Map<string, Waiting>> {
  const rows: AlertWaitRow[] = []
  for (const ids of inLists(agentIds)) rows.push(...(await db.selectFrom('alert_waits').selectAll().where('agent_id', 'in', ids).execute()))
  const byAgent = Map.groupBy(rows, ({ agent_id }) => agent_id)
  return new Map([...byAgent].map(([id, own]) => [id, new Map(own.map(({ rule_id, since }) => [rule_id, Date.parse(since)]))]))
}

/** Notes that a condition holds from now on, unless another master has noted it before. */
export async function wait(db: Kysely<Database>, agent_id: string, rule_id: string, since: string): Promise<void> {
  await db
    .insertInto('alert_waits')
    .values({ agent_id, rule_id, since })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

export async function stopWaiting(db: Kysely<Database>, agentId: string, ruleId: string): Promise<void> {
  await db.deleteFrom('alert_waits').where('agent_id', '=', agentId).where('rule_id', '=', ruleId).execute()
}

/** Has every agent begin anew with a rule. */
export async function stopAllWaiting(db: Kysely<Database>, ruleId: string): Promise<void> {
  await db.deleteFrom('alert_waits').where('rule_id', '=', ruleId).execute()
}
