import { type Kysely, type KyselyPlugin, PostgresAdapter, RawNode } from 'kysely'

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
