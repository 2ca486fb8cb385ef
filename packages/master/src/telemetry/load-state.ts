import type { DuckDBConnection } from '@duckdb/node-api'
import { quoted } from './schema.ts'
import { addMark, newState, type State, setCounter } from './state.ts'

/** What was known when the last row of a file was written. */
export async function loadState(connection: DuckDBConnection, file: string): Promise<State> {
  const state = newState()
  const rows = async (sql: string) => (await connection.runAndReadAll(sql.replaceAll('FILE', quoted(file)))).getRowObjectsJS()
  for (const row of await rows(marks)) {
    const { agent, kind, spool, first, last, at } = row as {
      agent: string
      kind: string
      spool: string
      first: number
      last: number
      at: number
    }
    addMark(state, { agent, kind, spool, ranges: [[first, last]], at })
  }
  for (const row of await rows(counters)) setCounter(state, row as unknown as Parameters<typeof setCounter>[1])
  const [newest] = await rows(newestRow)
  state.seq = Number(newest?.['seq'] ?? 0) + 1
  return state
}

// Neighbouring numbers as one row: a day has a batch a second of each agent.
const marks = `
SELECT agent::VARCHAR AS agent, kind, spool, min("first")::DOUBLE AS "first", max("last")::DOUBLE AS "last", max("at")::DOUBLE AS "at" FROM (
  SELECT *, sum(begins) OVER (PARTITION BY agent, kind, spool ORDER BY "first", "last") AS part FROM (
    SELECT *, CASE WHEN "first" <= 1 + max("last") OVER (PARTITION BY agent, kind, spool ORDER BY "first", "last" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
      THEN 0 ELSE 1 END AS begins FROM FILE.batches))
GROUP BY agent, kind, spool, part ORDER BY "first"`

const counters = `
SELECT agent::VARCHAR AS agent, spool, name, labels, arg_max(value, seq) AS value, arg_max(sequence, seq)::DOUBLE AS sequence,
  arg_max(ts, seq)::DOUBLE AS time, max(seq)::DOUBLE AS seq, arg_max(coalesce(began, ts), seq)::DOUBLE AS began FROM (
    SELECT agent, spool, name, labels, value, sequence, ts, seq, began FROM FILE.samples WHERE increase IS NOT NULL
    UNION ALL SELECT agent, spool, name, labels, value, sequence, ts, seq, began FROM FILE.counters)
GROUP BY agent, spool, name, labels`

const newestRow = `
SELECT max(seq)::DOUBLE AS seq FROM (
  SELECT max(seq) AS seq FROM FILE.access UNION ALL SELECT max(seq) FROM FILE.errors UNION ALL SELECT max(seq) FROM FILE.samples
  UNION ALL SELECT max(seq) FROM FILE.counters)`
