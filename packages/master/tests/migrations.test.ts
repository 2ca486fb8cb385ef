import { join } from 'node:path'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { type Kysely, sql } from 'kysely'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { migrations } from '../src/db/migrations/index.ts'
import { connect, migrate, openDatabase } from '../src/db/open.ts'
import { engineOf } from '../src/db/portable.ts'
import type { Database } from '../src/db/schema.ts'
import { everyRow } from './every-row.ts'
import { insertRows, schemaRows } from './schema-rows.ts'

const log = pino({ level: 'silent' })
const names = Object.keys(migrations)

test('every schema of the past has rows to be tested with', () => {
  expect(names.filter((name) => !(name in schemaRows))).toEqual([])
})

describe.each(stores)('on $name', (store) => {
  let stack: AsyncDisposableStack
  let location: () => Promise<string>
  let fresh: object

  beforeAll(async () => {
    await using opening = new AsyncDisposableStack()
    const directory = opening.use(await scratch()).path
    const opened = opening.use(await store.open())
    let files = 0
    location = async () => (await opened.settings())[1] ?? join(directory, `${files++}.db`)
    await using db = await openAt(await location())
    await migrate(db.db)
    fresh = await schemaOf(db.db)
    stack = opening.move()
  })

  afterAll(() => stack.disposeAsync())

  test.each(names)('a database of %s is brought up to date, with all that was in it', async (last) => {
    await using opened = await openAt(await location())
    const { db } = opened
    for (const name of names.slice(0, names.indexOf(last) + 1)) {
      expect(await migrate(db, name)).toEqual([name])
      await insertRows(db, name)
    }
    const before = await everyRow(db)
    expect(await migrate(db)).toEqual(names.slice(names.indexOf(last) + 1))
    const after = await everyRow(db)
    for (const [table, rows] of Object.entries(before)) {
      // A release may bring rules of its own.
      const kept = rows.map((row) => expect.objectContaining(row))
      expect(after[table], table).toEqual(table === 'alert_rules' ? expect.arrayContaining(kept) : kept)
    }
    expect(await schemaOf(db)).toEqual(fresh)
    expect(await migrate(db)).toEqual([])
  })

  test('a migration that fails leaves the schema as it was', async () => {
    await using opened = await openAt(await location())
    const { db } = opened
    await migrate(db, names[0])
    await sql`create table masters (something text)`.execute(db)
    const before = await schemaOf(db)
    await expect(migrate(db)).rejects.toThrow(/could not be brought up to date/)
    expect(await schemaOf(db)).toEqual(before)
  })

  test('every foreign key has an index, or a delete would read whole tables', async () => {
    await using opened = await openAt(await location())
    await migrate(opened.db)
    expect(await unindexedReferences(opened.db)).toEqual([])
  })

  test('a database that a newer version has written is refused', async () => {
    const where = await location()
    {
      await using opened = await openAt(where)
      await migrate(opened.db)
      await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2999-01-01T00:00:00.000Z')`.execute(opened.db)
    }
    await expect(openDatabase(where, { log })).rejects.toThrow(/a newer version of this program has written it/)
  })
})

async function openAt(where: string) {
  const db = await connect(where, { log })
  return { db, [Symbol.asyncDispose]: () => db.destroy() }
}

/** Tables with their columns, indexes and triggers, without the order in which they came to be. */
async function schemaOf(db: Kysely<Database>): Promise<object> {
  const tables = await db.introspection.getTables()
  const columns = tables.flatMap((table) =>
    table.columns.map((column) => `${table.name}.${column.name} ${column.dataType}${column.isNullable ? '' : ' not null'}`),
  )
  const { rows } =
    engineOf(db) === 'sqlite'
      ? await sql<{ name: string }>`select type || ' ' || name as name from sqlite_master where type in ('index', 'trigger')`.execute(db)
      : await sql<{ name: string }>`select indexdef as name from pg_indexes where schemaname = current_schema()
          union all select 'trigger ' || tgname from pg_trigger where not tgisinternal`.execute(db)
  return { columns: columns.toSorted(), others: rows.map((row) => row.name).toSorted() }
}

/** Foreign keys whose first column does not lead an index. */
async function unindexedReferences(db: Kysely<Database>): Promise<string[]> {
  const { rows } =
    engineOf(db) === 'sqlite'
      ? await sql<{ name: string }>`select m.name || '.' || f."from" as name from sqlite_master m, pragma_foreign_key_list(m.name) f
          where m.type = 'table' and f.seq = 0 and not exists (
            select 1 from pragma_index_list(m.name) i, pragma_index_info(i.name) c where c.seqno = 0 and c.name = f."from")`.execute(db)
      : await sql<{ name: string }>`select c.conrelid::regclass || '.' || a.attname as name
          from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
          where c.contype = 'f' and not exists (select from pg_index i where i.indrelid = c.conrelid and i.indkey[0] = c.conkey[1])`.execute(
          db,
        )
  return rows.map((row) => row.name)
}
