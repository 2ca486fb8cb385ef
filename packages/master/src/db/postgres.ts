import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, type LogEvent, PostgresDialect } from 'kysely'
import pg from 'pg'
import type { Logger } from 'pino'
import { openTurnstile } from '../turnstile.ts'
import { portableDdl } from './portable.ts'
import type { Database } from './schema.ts'
import { changesInTurn } from './transaction.ts'
import { DatabaseUnavailable } from './trouble.ts'

export interface PostgresOptions {
  log: Logger
  /** Whether statements may take as long as they need, as migrations do. */
  patient?: boolean
  onQuery?: (event: LogEvent) => void
}

const connectTimeout = 5000
const statementTimeout = 10_000
const mostConnections = 10
const mostNames = 500
// Changes wait for each other; reads and the news of agents always find a connection.
const mostChanges = 6

/** Opens the database that a `postgres://` address names as it is. Connections are made when they are needed. */
export function connectPostgres(address: string, { log, patient = false, onQuery }: PostgresOptions): Kysely<Database> {
  const pool = new pg.Pool({
    connectionString: address,
    max: mostConnections,
    application_name: 'nxmesh-master',
    connectionTimeoutMillis: connectTimeout,
    keepAlive: true,
    types: { getTypeParser },
    // The server ends a statement first; the client's own patience is for a server that is no longer there.
    ...(!patient && {
      statement_timeout: statementTimeout,
      query_timeout: statementTimeout + 2000,
      // A master whose machine is gone must not hold up the others until the network tells.
      idle_in_transaction_session_timeout: statementTimeout,
    }),
  })
  pool.on('error', (error) => log.warn({ reason: error.message }, 'a connection to the database was lost'))
  const db = new Kysely<Database>({
    dialect: new PostgresDialect({ pool: poolOf(pool, !patient) }),
    // Only migrations make tables, and they are given the time they need.
    ...(patient && { plugins: [portableDdl] }),
    ...(onQuery && { log: onQuery }),
  })
  return Object.assign(db, { [changesInTurn]: openTurnstile(mostChanges) })
}

// Counts and versions are far below 2^53, so every integer is a number, as with SQLite.
const getTypeParser = ((oid: number, format?: 'text' | 'binary') =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format as 'text')) as typeof pg.types.getTypeParser

// Statements are prepared once a connection under a name, but not where migrations change the tables under them. A connection in doubt is not used again, and its errors say so.
function poolOf(pool: pg.Pool, prepare: boolean) {
  const names = new Map<string, string>()
  const clients = new WeakMap<pg.PoolClient, ReturnType<typeof clientOf>>()

  function nameOf(sql: string): string | undefined {
    const known = names.get(sql)
    if (known !== undefined || names.size >= mostNames) return known
    const name = `s${names.size}`
    names.set(sql, name)
    return name
  }

  function clientOf(client: pg.PoolClient) {
    let doubt: Error | undefined
    // One that breaks while it is in use tells by the statement that fails; without a listener it would end the process.
    client.on('error', (error) => {
      doubt = error
    })
    return {
      async query(text: string, values: readonly unknown[] = []) {
        const name = prepare && /^(select|insert|update|delete|with) /i.test(text) ? nameOf(text) : undefined
        try {
          return await client.query({ ...(name !== undefined && { name }), text, values: values as unknown[] })
        } catch (error) {
          const unavailable = DatabaseUnavailable.from(error)
          if (!unavailable) throw error
          if (unavailable.lost) doubt = unavailable
          throw unavailable
        }
      },
      release: () => client.release(doubt),
    }
  }

  return {
    async connect() {
      try {
        const client = await pool.connect()
        const known = clients.get(client) ?? clientOf(client)
        clients.set(client, known)
        return known as never
      } catch (error) {
        throw DatabaseUnavailable.from(error) ?? error
      }
    },
    end: () => pool.end(),
    options: pool.options as never,
  }
}

/** Listens on a channel until disposed, reconnecting when the line is lost; `hear` is also called, without a word, after each connect. */
export function listen(address: string, channel: string, log: Logger, hear: (word?: string) => void): AsyncDisposable {
  const stop = new AbortController()
  const ended = keepListening(stop.signal)

  async function keepListening(signal: AbortSignal) {
    while (!signal.aborted) {
      try {
        await listenOnce(signal)
      } catch (error) {
        log.debug({ err: error }, 'the line to the other masters is down')
      }
      await delay(1000, undefined, { signal }).catch(() => undefined)
    }
  }

  async function listenOnce(signal: AbortSignal) {
    const client = new pg.Client({
      connectionString: address,
      application_name: 'nxmesh-master',
      connectionTimeoutMillis: connectTimeout,
      keepAlive: true,
    })
    const lost = Promise.withResolvers<void>()
    client.on('error', lost.reject)
    client.on('end', () => lost.resolve())
    client.on('notification', ({ payload }) => hear(payload))
    const leave = () => lost.resolve()
    signal.addEventListener('abort', leave)
    try {
      await client.connect()
      await client.query(`listen ${client.escapeIdentifier(channel)}`)
      hear()
      await lost.promise
    } finally {
      signal.removeEventListener('abort', leave)
      lost.promise.catch(() => undefined)
      await client.end().catch(() => undefined)
    }
  }

  return {
    async [Symbol.asyncDispose]() {
      stop.abort()
      await ended
    },
  }
}
