import { setTimeout as delay } from 'node:timers/promises'
import type { Kysely, LogEvent } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Logger } from 'pino'
import { migrations } from './migrations/index.ts'
import { connectPostgres } from './postgres.ts'
import type { Database } from './schema.ts'
import { connectSqlite } from './sqlite.ts'
import { DatabaseUnavailable } from './trouble.ts'

/** Where a database is: an address beginning with `postgres://`, or else the file of the embedded one. */
export type Location = string

export interface OpenOptions {
  log: Logger
  /** Ends the wait for a database that is away. */
  signal?: AbortSignal
  onQuery?: (event: LogEvent) => void
}

const patience = 1000
const reminder = 30

/** Opens a database and brings its schema up to date. One that does not answer is waited for; one that refuses us is an error. */
export async function openDatabase(location: Location, options: OpenOptions): Promise<Kysely<Database>> {
  const { onQuery: _unheard, ...quiet } = options
  await using stack = new AsyncDisposableStack()
  await migrate(stack.adopt(await connect(location, quiet, true), (opened) => opened.destroy()))
  return isPostgres(location) ? connectPostgres(location, options) : connectSqlite(location, options.onQuery)
}

/** Opens a database as it is, for statements that may take long. One that does not answer is an error, unless it is to be waited for. */
export async function connect(location: Location, options: OpenOptions, wait = false): Promise<Kysely<Database>> {
  if (!isPostgres(location)) return connectSqlite(location, options.onQuery)
  await using stack = new AsyncDisposableStack()
  const db = stack.adopt(connectPostgres(location, { ...options, patient: true }), (opened) => opened.destroy())
  await untilReachable(db, location, options, wait)
  stack.move()
  return db
}

/** Opens the embedded database at `file` (or `:memory:`) and brings its schema up to date. */
export async function openSqlite(file: string): Promise<Kysely<Database>> {
  const db = connectSqlite(file)
  await migrate(db)
  return db
}

/** Applies the migrations that a database lacks, up to and including `last`; returns the names of those it applied. */
export async function migrate(db: Kysely<Database>, last = Object.keys(migrations).at(-1)!): Promise<string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } })
  const { error, results = [] } = await migrator.migrateTo(last)
  if (error) throw new Error(`the database could not be brought up to date: ${reasonOf(error)}`, { cause: error })
  return results.filter((result) => result.status === 'Success').map((result) => result.migrationName)
}

// Kysely's own word for a database that a newer program has written is hard to understand.
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return /previously executed migration .* is missing/.test(message) ? 'a newer version of this program has written it' : message
}

/** A location as people may see it: without its password. */
export function describe(location: Location): string {
  if (!isPostgres(location)) return location
  const url = new URL(location)
  url.password = ''
  url.search = ''
  return url.href
}

export function isPostgres(location: Location): boolean {
  return /^postgres(ql)?:\/\//.test(location)
}

async function untilReachable(db: Kysely<Database>, location: Location, { log, signal }: OpenOptions, wait: boolean): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    signal?.throwIfAborted()
    try {
      await db.introspection.getSchemas()
      return
    } catch (error) {
      if (!wait || !(error instanceof DatabaseUnavailable)) {
        throw new Error(`the database ${describe(location)} cannot be used: ${(error as Error).message}`, { cause: error })
      }
      if (attempt % reminder === 0)
        log.warn({ reason: error.message }, `the database ${describe(location)} does not answer; waiting for it`)
      await delay(patience, undefined, signal && { signal })
    }
  }
}
