import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { Kysely, type LogEvent, SqliteAdapter, SqliteDialect } from 'kysely'
import { type DirectReads, directReads } from './prepared.ts'
import type { Database } from './schema.ts'

/** Opens the embedded database at `file` (or `:memory:`) as it is. */
export function connectSqlite(file: string, onQuery?: (event: LogEvent) => void): Kysely<Database> {
  const sqlite = new DatabaseSync(file, { timeout })
  sqlite.exec('pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on; pragma temp_store = memory')
  const close: (() => void)[] = [() => sqlite.close()]
  const db = new Kysely<Database>({ dialect: new Dialect({ database: adapt(sqlite, close) }), ...(onQuery && { log: onQuery }) })
  return file === ':memory:' ? db : Object.assign(db, { [directReads]: readsOf(file, close, onQuery) })
}

const timeout = 5000

// A connection of its own sees what is committed and waits for no transaction that is open beside it (sqlite.org/wal.html). It is
// opened with the first read, once the schema is there.
function readsOf(file: string, close: (() => void)[], onQuery?: (event: LogEvent) => void): DirectReads {
  const statements = new Map<string, StatementSync>()
  let sqlite: DatabaseSync | undefined
  close.push(() => sqlite?.close())
  return (query) => {
    const started = onQuery && performance.now()
    sqlite ??= new DatabaseSync(file, { readOnly: true, timeout })
    let statement = statements.get(query.sql)
    if (!statement) {
      statement = sqlite.prepare(query.sql)
      statements.set(query.sql, statement)
    }
    const rows = statement.all(...(query.parameters as never[]))
    if (started !== undefined) onQuery?.({ level: 'query', query, queryDurationMillis: performance.now() - started })
    return rows
  }
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
function adapt(sqlite: DatabaseSync, close: readonly (() => void)[]) {
  const statements = new Map<string, Statement>()
  return {
    close() {
      for (const end of close) end()
    },
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
