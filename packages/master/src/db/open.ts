import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Kysely, SqliteDialect } from 'kysely'
import { Migrator } from 'kysely/migration'
import { migrations } from './migrations/index.ts'
import type { Database } from './schema.ts'

/** Opens the embedded database at `file` (or `:memory:`) and brings its schema up to date. */
export async function openSqlite(file: string): Promise<Kysely<Database>> {
  const sqlite = new DatabaseSync(file, { timeout: 5000 })
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory')
  const db = new Kysely<Database>({ dialect: new SqliteDialect({ database: adapt(sqlite) }) })
  await migrate(db)
  return db
}

async function migrate(db: Kysely<Database>): Promise<void> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error } = await migrator.migrateToLatest()
  if (error) throw new Error('the database could not be brought up to date', { cause: error })
}

// Kysely speaks to SQLite through the shape of better-sqlite3. Statements are kept: preparing one costs more than running it.
function adapt(sqlite: DatabaseSync) {
  const statements = new Map<string, StatementSync>()
  return {
    close: () => sqlite.close(),
    prepare(sql: string) {
      let statement = statements.get(sql)
      if (!statement) {
        statement = sqlite.prepare(sql)
        if (statements.size < 500) statements.set(sql, statement)
      }
      const prepared = statement
      const reader = prepared.columns().length > 0
      return {
        reader,
        all: (parameters: readonly unknown[]) => prepared.all(...(parameters as never[])),
        run: (parameters: readonly unknown[]) => {
          // A full disk makes SQLite roll back by itself; a second rollback would hide why. Source: sqlite.org/lang_transaction.html, 1.3.
          if (sql === 'rollback' && !sqlite.isTransaction) return { changes: 0, lastInsertRowid: 0 }
          const { changes, lastInsertRowid } = prepared.run(...(parameters as never[]))
          return { changes, lastInsertRowid }
        },
        iterate: (parameters: readonly unknown[]) => prepared.iterate(...(parameters as never[])),
      }
    },
  }
}
