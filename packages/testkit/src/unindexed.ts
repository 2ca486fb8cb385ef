import { engineOf } from '@nxmesh/master/db/portable'
import type { Database } from '@nxmesh/master/db/schema'
import { CompiledQuery, type Kysely, type LogEvent, sql } from 'kysely'

/** Each different query that a master has run, with the parameters of its first time. */
export type Queries = Map<string, readonly unknown[]>

/** Notes a query of a master's own: what reads or changes rows, and not what asks the engine about itself. */
export function note(queries: Queries, { query }: LogEvent): void {
  const text = query.sql
  if (!/^(select|update|delete|with) /i.test(text) || /kysely_migration|sqlite_|pg_|information_schema|pragma/i.test(text)) return
  if (!queries.has(text)) queries.set(text, query.parameters)
}

/**
 * The queries for which the engine reads a whole table, as it says itself, each with the part of its plan that shows it.
 * Tables of a handful of rows for the whole installation are read as they are.
 */
export async function unindexed(db: Kysely<Database>, queries: Queries): Promise<string[]> {
  const found: string[] = []
  for (const [text, parameters] of queries) {
    if (text.startsWith('select "id" from "users" limit ')) continue
    const steps = engineOf(db) === 'sqlite' ? await sqliteScans(db, text, parameters) : await postgresScans(db, text, parameters)
    found.push(...steps.filter((step) => !/^(SCAN|Seq Scan on) (masters|keys)\b/.test(step)).map((step) => `${step}: ${text}`))
  }
  return found
}

// EXPLAIN QUERY PLAN says SEARCH where it can go straight to the rows; SCAN with an index still visits every one.
async function sqliteScans(db: Kysely<Database>, text: string, parameters: readonly unknown[]): Promise<string[]> {
  const { rows } = await db.executeQuery<{ detail: string }>(CompiledQuery.raw(`explain query plan ${text}`, [...parameters]))
  const scan = /^SCAN (?!CONSTANT ROW|\(?subquery|excluded)/i
  // A page of a list is not to be put in order anew for each page, unless it is of a few rows that were picked one by one.
  const sort = / limit /i.test(text) && !/ in \(select /i.test(text) ? /^USE TEMP B-TREE FOR ORDER BY/ : undefined
  return rows.map((row) => row.detail).filter((detail) => scan.test(detail) || sort?.test(detail))
}

// With sequential scans made dear, the planner goes on with one only where no index can serve.
async function postgresScans(db: Kysely<Database>, text: string, parameters: readonly unknown[]): Promise<string[]> {
  const { rows } = await db.transaction().execute(async (trx) => {
    await sql`set local enable_seqscan = off`.execute(trx)
    return trx.executeQuery<{ 'QUERY PLAN': string }>(CompiledQuery.raw(`explain ${text}`, [...parameters]))
  })
  return rows.map((row) => row['QUERY PLAN'].replace(/^\s*(->\s*)?/, '')).filter((line) => line.startsWith('Seq Scan on '))
}
