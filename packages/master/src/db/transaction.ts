import { type Kysely, sql, type Transaction } from 'kysely'
import { engineOf } from './portable.ts'
import type { Database } from './schema.ts'

/** A transaction that can be told what to do once it has committed. */
export interface Tx {
  db: Transaction<Database>
  onCommit: (action: () => void) => void
}

/**
 * Runs `work` in one transaction; its commit actions run after the commit and never after a rollback. What `work` reads stays
 * true until the commit: no other transaction runs meanwhile, or, given a `workspace`, none of that workspace and none
 * without one. Given a handle that is in a transaction already, `work` becomes a part of that one.
 */
export async function transaction<T>(db: Kysely<Database>, work: (tx: Tx) => Promise<T>, workspace?: string): Promise<T> {
  if (isJoinable(db)) {
    if (engineOf(db) === 'postgres') await queue(db, workspace)
    return work({ db, onCommit: (action) => db[commitActions].push(action) })
  }
  return begin(db, async (tx) => {
    // SQLite has one writer anyway.
    if (engineOf(tx.db) === 'postgres') await queue(tx.db, workspace)
    return work(tx)
  })
}

/**
 * Runs `work` in a transaction that stands in no queue of its own: those that are started on its handle join it and queue when
 * they need to.
 */
export async function begin<T>(db: Kysely<Database>, work: (tx: Tx) => Promise<T>): Promise<T> {
  const actions: (() => void)[] = []
  const result = await db
    .transaction()
    .execute((trx) => work({ db: Object.assign(trx, { [commitActions]: actions }), onCommit: (action) => actions.push(action) }))
  for (const action of actions) action()
  return result
}

const commitActions = Symbol('what to do after the commit')

type Joinable = Transaction<Database> & { [commitActions]: (() => void)[] }

function isJoinable(db: Kysely<Database>): db is Joinable {
  return commitActions in db
}

// Any number that no other program in this database uses.
const everything = 3_615_217

// Taken before anything is read: at READ COMMITTED each later statement sees what those before us in the queue have written.
async function queue(trx: Transaction<Database>, workspace: string | undefined): Promise<void> {
  if (workspace === undefined) await sql`select pg_advisory_xact_lock(${everything}::bigint)`.execute(trx)
  else
    await sql`select pg_advisory_xact_lock_shared(${everything}::bigint), pg_advisory_xact_lock(${everything}::int, hashtext(${workspace}))`.execute(
      trx,
    )
}
