import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { access, link, open, rm } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { createGzip, type Gzip } from 'node:zlib'
import type { Kysely, Transaction } from 'kysely'
import { migrations } from './db/migrations/index.ts'
import { parentsOf, rowsOf, snapshot } from './db/portable.ts'
import type { Database } from './db/schema.ts'

/**
 * A backup is a gzip file of JSON lines: a header, then for each table its name and columns and one array for each row,
 * parents before children, and a last line that counts the rows.
 */
export interface Header {
  format: 'nxmesh-backup'
  format_version: 1
  created_at: string
  /** The migrations that the schema has seen. */
  migrations: string[]
}

export type Line = Header | { table: string; columns: string[] } | Value[] | { end: true; rows: number }
export type Value = string | number | null

/** Tables that are not part of a backup: what Kysely knows of the schema, and the masters of this moment. */
const apart = new Set(['kysely_migration', 'kysely_migration_lock', 'masters'])

/** Writes all that a database holds at one moment to a file with mode 0600, which must not exist. Returns how many rows. */
export async function backUp(db: Kysely<Database>, file: string, now: () => number): Promise<{ rows: number; tables: number }> {
  if (await exists(file)) throw new Error(`${file} exists already`)
  const draft = `${file}.part`
  await rm(draft, { force: true })
  try {
    const counts = await snapshot(db, (inside) => writeAll(inside, draft, now))
    await using written = await open(draft)
    await written.sync()
    await link(draft, file)
    return counts
  } finally {
    await rm(draft, { force: true })
  }
}

async function writeAll(db: Transaction<Database>, file: string, now: () => number) {
  const gzip = createGzip()
  const written = pipeline(gzip, createWriteStream(file, { flags: 'wx', mode: 0o600 }))
  // Whoever waits for room must learn that the file has failed.
  const failed = written.then(() => new Promise<never>(() => undefined))
  failed.catch(() => undefined)
  const write = (line: Line) => (gzip.write(`${JSON.stringify(line)}\n`) ? undefined : Promise.race([drained(gzip), failed]))
  let rows = 0
  await write({
    format: 'nxmesh-backup',
    format_version: 1,
    created_at: new Date(now()).toISOString(),
    migrations: await migrationsOf(db),
  })
  const tables = await tablesInOrder(db)
  for (const { name, columns } of tables) {
    await write({ table: name, columns })
    for await (const row of rowsOf(db, name)) {
      await write(columns.map((column) => valueOf(row[column], name, column)))
      rows++
    }
  }
  await write({ end: true, rows })
  gzip.end()
  await written
  return { rows, tables: tables.length }
}

/** The tables that make up a backup, parents before children, with their columns. */
export async function tablesInOrder(db: Kysely<Database>): Promise<{ name: string; columns: string[] }[]> {
  const tables = (await db.introspection.getTables()).filter((table) => !table.isView && !apart.has(table.name))
  const parents = await parentsOf(db)
  const ordered: string[] = []
  const visit = (name: string) => {
    if (ordered.includes(name) || apart.has(name)) return
    for (const parent of parents.get(name) ?? []) if (parent !== name) visit(parent)
    ordered.push(name)
  }
  for (const { name } of tables.toSorted((a, b) => (a.name < b.name ? -1 : 1))) visit(name)
  return ordered.map((name) => ({ name, columns: tables.find((table) => table.name === name)!.columns.map((column) => column.name) }))
}

async function migrationsOf(db: Kysely<Database>): Promise<string[]> {
  const rows = await (db as unknown as Kysely<{ kysely_migration: { name: string } }>)
    .selectFrom('kysely_migration')
    .select('name')
    .orderBy('name')
    .execute()
  const names = rows.map((row) => row.name)
  const unknown = names.find((name) => !(name in migrations))
  if (unknown !== undefined) throw new Error(`a newer version of this program has written the database: it knows a migration ${unknown}`)
  return names
}

function valueOf(value: unknown, table: string, column: string): Value {
  if (value === null || typeof value === 'string' || typeof value === 'number') return value
  throw new Error(`${table}.${column} holds a ${typeof value}, which a backup cannot carry`)
}

async function drained(gzip: Gzip): Promise<void> {
  await once(gzip, 'drain')
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  )
}
