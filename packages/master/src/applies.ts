import type { Paging } from '@nxmesh/api/route'
import type { Finding } from '@nxmesh/model/agent'
import type { ApplyRecord } from '@nxmesh/model/agent-files'
import { withCause } from '@nxmesh/nginx/message-cause'
import { type Kysely, sql, type Transaction } from 'kysely'
import { type Ctx, timestamp } from './ctx.ts'
import type { ApplyRow, Database } from './db/schema.ts'
import type { Attempt } from './link/config-status.ts'
import { rangeOf } from './page.ts'
import { uuidv7 } from './uuid.ts'

/** How many attempts of each agent are kept. */
const kept = 1000

/** The last attempts of an agent to apply a config, newest first. */
export async function listApplies(ctx: Ctx, agentId: string, paging: Paging) {
  await ctx.agentWrites.flush(agentId)
  const all = ctx.db.selectFrom('applies').where('agent_id', '=', agentId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('id', 'desc').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

/** An attempt as it is kept. An agent of ours tells its last one again when it comes back, under the same time of its clock. */
export function applyRow(ctx: Pick<Ctx, 'now' | 'agentWrites'>, agentId: string, attempt: Attempt): ApplyRow {
  const id = uuidv7(ctx.now())
  const isOurs = (ctx.agentWrites.facts(agentId)?.capability ?? 0) > 0
  const { applied_at, ...rest } = attempt
  return {
    ...rest,
    id,
    agent_id: agentId,
    report: isOurs ? `${attempt.digest} ${attempt.status} ${applied_at}` : id,
    applied_at: isOurs && applied_at > 0 ? new Date(applied_at).toISOString() : null,
    reported_at: timestamp(ctx),
  }
}

/** Keeps an attempt, unless it is known or its agent is gone, and lets the oldest go. Returns whether it is new. */
export async function keepApply(trx: Transaction<Database>, row: ApplyRow): Promise<boolean> {
  const columns = Object.keys(row) as (keyof ApplyRow)[]
  const { numInsertedOrUpdatedRows } = await trx
    .insertInto('applies')
    .columns(columns)
    .expression((eb) =>
      eb
        .selectFrom('agents')
        .select(columns.map((column) => sql.val(row[column]).as(column)))
        .where('agents.id', '=', row.agent_id),
    )
    .onConflict((conflict) => conflict.columns(['agent_id', 'report']).doNothing())
    .executeTakeFirstOrThrow()
  await forgetOldest(trx, row.agent_id)
  return numInsertedOrUpdatedRows === 1n
}

async function forgetOldest(db: Kysely<Database>, agentId: string): Promise<void> {
  const of = db.selectFrom('applies').where('agent_id', '=', agentId)
  const last = of.select('id').orderBy('id', 'desc').limit(1).offset(kept)
  await db.deleteFrom('applies').where('agent_id', '=', agentId).where('id', '<=', last).execute()
}

function shown({ agent_id: _agent, report: _report, findings, ...row }: ApplyRow): ApplyRecord {
  return { ...row, findings: (JSON.parse(findings) as Finding[]).map(withCause) }
}
