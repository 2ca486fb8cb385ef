import { type Kysely, type KyselyPlugin, PostgresAdapter, type RawBuilder, RawNode, sql } from 'kysely'

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
