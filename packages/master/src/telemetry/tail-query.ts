import { accessCondition, accessLog, errorCondition, errorLog, type Row } from './logs-query.ts'
import type { Store } from './open-store.ts'
import type { Query } from './query.ts'
import { quoted } from './schema.ts'
import type { Ask } from './sql.ts'

/** What has come to a log since a row number. */
export interface TailPart {
  /** The row number to go on from. */
  next: number
  /** How many lines had no room: the oldest of them are left out. */
  skipped: number
  entries: unknown[]
}

// Whoever follows is never further behind than the file that was begun last.
const newestFiles = 2

/** Reads what a log was given from a row number on, in the order in which it came; without a number, where it ends now. */
export async function readTail(store: Store, ask: Ask, query: Extract<Query, { kind: 'tail' }>): Promise<TailPart> {
  const { from, limit } = query
  if (from === undefined) return { next: store.state.seq, skipped: 0, entries: [] }
  const { table, columns, shown } = query.log === 'access' ? accessLog : errorLog
  const { sql, values } = query.log === 'access' ? accessCondition(query.filters) : errorCondition(query.filters)
  let [next, matching] = [from, 0]
  let rows: Row[] = []
  for (const { name } of store.files.slice(-newestFiles).toReversed()) {
    const source = `${quoted(name)}.${table}`
    const [seen] = await ask(
      `SELECT max(seq)::DOUBLE AS last, count(*) FILTER (${sql})::DOUBLE AS matching FROM ${source} WHERE seq >= ${from}`,
      values,
    )
    const { last, matching: here } = seen as { last: number | null; matching: number }
    if (last === null) continue
    next = Math.max(next, last + 1)
    matching += here
    if (here === 0 || rows.length === limit) continue
    const found = await ask(
      `SELECT ${columns} FROM ${source} WHERE seq >= ${from} AND seq <= ${last} AND ${sql} ORDER BY seq DESC LIMIT ${limit - rows.length}`,
      values,
    )
    rows = [...rows, ...(found as Row[])]
  }
  return { next, skipped: matching - rows.length, entries: rows.reverse().map(shown) }
}
