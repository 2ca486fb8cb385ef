import type { Kysely, Transaction } from 'kysely'
import { agentEvents, applyEvent, type Connection, type ToldFacts, toldColumns } from './agent-events.ts'
import type { AgentFacts } from './agent-writes.ts'
import { keepApply } from './applies.ts'
import { inLists } from './db/in-list.ts'
import type { ApplyRow, Database } from './db/schema.ts'
import { appendEvents, type Tiding } from './events/outbox.ts'

/** What is written about agents in one transaction. */
export interface Batch {
  changes: Map<string, Partial<AgentFacts>>
  attempts: ApplyRow[]
  /** Agents of which something that is told may have changed. */
  watched: Map<string, Connection>
  at: string
  /** The master that must hold an agent for its changes to be written, or false where it does not matter. */
  holderOf: (agentId: string) => string | false
}

/** What came of writing a batch. */
export interface Written {
  /** Agents that are not the holder's any longer: their rows were left alone. */
  lost: string[]
  /** Attempts that were not known before. */
  applied: ApplyRow[]
  /** How many events. */
  told: number
}

/** Writes a batch and the events of what it changes. */
export async function writeAgents(db: Kysely<Database>, batch: Batch): Promise<Written> {
  return db.transaction().execute(async (trx) => {
    const before = await readTold(trx, [...batch.watched.keys(), ...batch.attempts.map(({ agent_id }) => agent_id)])
    const lost: string[] = []
    // In one order, so that two masters never wait for each other.
    for (const [agentId, changes] of [...batch.changes].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const holder = batch.holderOf(agentId)
      const update = trx.updateTable('agents').set(changes).where('id', '=', agentId)
      const guarded = holder === false || changes.master_id === holder ? update : update.where('master_id', '=', holder)
      const { numUpdatedRows } = await guarded.executeTakeFirstOrThrow()
      if (numUpdatedRows === 0n) lost.push(agentId)
    }
    const applied: ApplyRow[] = []
    for (const attempt of batch.attempts) if (await keepApply(trx, attempt)) applied.push(attempt)
    return { lost, applied, told: await appendEvents(trx, tidingsOf(batch, before, applied, new Set(lost))) }
  })
}

function tidingsOf({ changes, watched, at }: Batch, before: Map<string, ToldFacts>, attempts: ApplyRow[], lost: Set<string>): Tiding[] {
  const tidings: Tiding[] = []
  for (const [agentId, row] of before) {
    const applied = attempts.filter(({ agent_id }) => agent_id === agentId).map((attempt) => applyEvent(row.workspace_id, attempt))
    const connection = watched.get(agentId)
    const changed = connection && !lost.has(agentId) ? agentEvents(row, { ...row, ...changes.get(agentId) }, connection) : []
    tidings.push(...[...applied, ...changed].map((event) => ({ ...event, workspaceId: row.workspace_id, at })))
  }
  return tidings
}

async function readTold(trx: Transaction<Database>, agentIds: string[]): Promise<Map<string, ToldFacts>> {
  const rows: ToldFacts[] = []
  for (const ids of inLists(agentIds)) {
    rows.push(
      ...(await trx
        .selectFrom('agents')
        .select(['id', 'workspace_id', ...toldColumns])
        .where('id', 'in', ids)
        .execute()),
    )
  }
  return new Map(rows.map((row) => [row.id, row]))
}
