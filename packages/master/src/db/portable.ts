import {
  type Kysely,
  type KyselyPlugin,
  PostgresAdapter,
  type RawBuilder,
  RawNode,
  type SelectQueryBuilder,
  sql,
  type Transaction,
} from 'kysely'

/** The engine behind a handle, for the few statements that differ. */
export function engineOf<T>(db: Kysely<T>): 'sqlite' | 'postgres' {
  return db.getExecutor().adapter instanceof PostgresAdapter ? 'postgres' : 'sqlite'
}

/**
 * Lets PostgreSQL read the migrations, which are written for both: `text` compares by bytes and `integer` has 64 bits there
 * too, so that orders, ranges and numbers are those of SQLite.
 */
export const portableDdl: KyselyPlugin = {
  transformQuery({ node }) {
    if (!RawNode.is(node) || node.sqlFragments.length !== 1) return node
    const [statement] = node.sqlFragments as [string]
    if (!/^\s*(create|alter) table/i.test(statement)) return node
    return RawNode.createWithSql(statement.replaceAll(/\btext\b/g, 'text collate "C"').replaceAll(/\binteger\b/g, 'bigint'))
  },
  transformResult: async ({ result }) => result,
}

/** The database's own clock, `seconds` from now, written as times are written everywhere. */
export function databaseTime<T>(db: Kysely<T>, seconds = 0): RawBuilder<string> {
  return engineOf(db) === 'postgres'
    ? sql`to_char((clock_timestamp() + make_interval(secs => ${seconds}::int)) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`
    : sql`strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ${`${seconds} seconds`})`
}

/** Runs `work` while no other master of this database is in here. */
export async function alone<T, R>(db: Kysely<T>, work: () => Promise<R>): Promise<R> {
  if (engineOf(db) === 'sqlite') return work()
  return db.connection().execute(async (connection) => {
    await sql`select pg_advisory_lock(${starting}::bigint)`.execute(connection)
    try {
      return await work()
    } finally {
      await sql`select pg_advisory_unlock(${starting}::bigint)`.execute(connection)
    }
  })
}

// Any number that no other program in this database uses; transactions queue on the one below it.
const starting = 3_615_218

/** Keeps the rows that a query reads from being changed until the transaction ends; SQLite has one writer anyway. */
export function forUpdate<T, TB extends keyof T, O>(db: Kysely<T>, query: SelectQueryBuilder<T, TB, O>): SelectQueryBuilder<T, TB, O> {
  return engineOf(db) === 'postgres' ? query.forUpdate() : query
}

/** Runs `work` on the database as it is at one moment, whatever others write meanwhile. */
export async function snapshot<T, R>(db: Kysely<T>, work: (inside: Transaction<T>) => Promise<R>): Promise<R> {
  // On SQLite the first read fixes what a transaction sees.
  if (engineOf(db) === 'sqlite') return db.transaction().execute(work)
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work)
}

/** Every row of a table, a few at a time in memory; inside a transaction. */
export async function* rowsOf<T>(trx: Transaction<T>, table: string): AsyncGenerator<Record<string, unknown>> {
  if (engineOf(trx) === 'sqlite') {
    yield* trx
      .selectFrom(table as never)
      .selectAll()
      .stream() as AsyncGenerator<Record<string, unknown>>
    return
  }
  await sql`declare every_row no scroll cursor for select * from ${sql.table(table)}`.execute(trx)
  for (;;) {
    const { rows } = await sql<Record<string, unknown>>`fetch 500 from every_row`.execute(trx)
    if (rows.length === 0) break
    yield* rows
  }
  await sql`close every_row`.execute(trx)
}

/** For each table the tables that its foreign keys name. */
export async function parentsOf<T>(db: Kysely<T>): Promise<Map<string, string[]>> {
  const { rows } =
    engineOf(db) === 'sqlite'
      ? await sql<Reference>`select distinct m.name as child, f."table" as parent from sqlite_master m, pragma_foreign_key_list(m.name) f where m.type = 'table'`.execute(
          db,
        )
      : await sql<Reference>`select distinct a.relname as child, b.relname as parent from pg_constraint c
          join pg_class a on a.oid = c.conrelid join pg_class b on b.oid = c.confrelid
          where c.contype = 'f' and c.connamespace = current_schema()::regnamespace`.execute(db)
  return new Map(
    Object.entries(Object.groupBy(rows, (row) => row.child)).map(([child, found]) => [child, (found ?? []).map((row) => row.parent)]),
  )
}

interface Reference {
  child: string
  parent: string
}

/** Takes every table out of a database, and on PostgreSQL every function of its schema that is not an extension's. `order` names children before parents. */
export async function dropEverything<T>(trx: Transaction<T>, order: string[]): Promise<void> {
  if (engineOf(trx) === 'sqlite') {
    const { rows } = await sql<{ name: string }>`select name from sqlite_master where type = 'table' and name not like 'sqlite%'`.execute(
      trx,
    )
    for (const name of new Set([...order, ...rows.map((row) => row.name)])) await sql`drop table ${sql.table(name)}`.execute(trx)
    return
  }
  const tables = await sql<{ name: string }>`select tablename as name from pg_tables where schemaname = current_schema()`.execute(trx)
  for (const { name } of tables.rows) await sql`drop table ${sql.table(name)} cascade`.execute(trx)
  const functions = await sql<{ name: string }>`select oid::regprocedure::text as name from pg_proc p
    where pronamespace = current_schema()::regnamespace and prokind = 'f'
    and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')`.execute(trx)
  for (const { name } of functions.rows) await sql`drop function ${sql.raw(name)} cascade`.execute(trx)
}
