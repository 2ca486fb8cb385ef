import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Kysely, type LogEvent, SqliteAdapter, SqliteDialect } from 'kysely'
import type { Database } from './schema.ts'

/** Opens the embedded database at `file` (or `:memory:`) as it is. */
export function connectSqlite(file: string, onQuery?: (event: LogEvent) => void): Kysely<Database> {
  const sqlite = new DatabaseSync(file, { timeout: 5000 })
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory')
  return new Kysely<Database>({ dialect: new Dialect({ database: adapt(sqlite) }), ...(onQuery && { log: onQuery }) })
}

// SQLite does have DDL in transactions, which Kysely does not count on: a migration that is cut off leaves nothing.
class Dialect extends SqliteDialect {
  override createAdapter() {
    return new Adapter()
  }
}

class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl() {
    return true
  }
}

// Kysely speaks to SQLite through the shape of better-sqlite3. Statements are kept: preparing one costs more than running it.
function adapt(sqlite: DatabaseSync) {
  const statements = new Map<string, Statement>()
  return {
    close: () => sqlite.close(),
    prepare(sql: string) {
      let statement = statements.get(sql)
      if (!statement) {
        statement = sql === 'rollback' ? rollback(sqlite, statementOf(sqlite.prepare(sql))) : statementOf(sqlite.prepare(sql))
        if (statements.size < 500) statements.set(sql, statement)
      }
      return statement
    },
  }
}

// A full disk makes SQLite roll back by itself; a second rollback would hide why. Source: sqlite.org/lang_transaction.html, 1.3.
function rollback(sqlite: DatabaseSync, statement: Statement): Statement {
  return { ...statement, run: (parameters) => (sqlite.isTransaction ? statement.run(parameters) : { changes: 0, lastInsertRowid: 0 }) }
}

type Statement = ReturnType<typeof statementOf>

function statementOf(prepared: StatementSync) {
  return {
    reader: prepared.columns().length > 0,
    all: (parameters: readonly unknown[]) => prepared.all(...(parameters as never[])),
    run: (parameters: readonly unknown[]) => {
      const { changes, lastInsertRowid } = prepared.run(...(parameters as never[]))
      return { changes, lastInsertRowid }
    },
    iterate: (parameters: readonly unknown[]) => prepared.iterate(...(parameters as never[])),
  }
}
