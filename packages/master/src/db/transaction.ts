import { type Kysely, sql, type Transaction } from 'kysely'
import type { Ctx } from '../ctx.ts'
import { appendEvents, type Tiding } from '../events/outbox.ts'
import type { Turnstile } from '../turnstile.ts'
import { engineOf } from './portable.ts'
import type { Database } from './schema.ts'
import { DatabaseUnavailable } from './trouble.ts'

/** A transaction that can be told what to do once it has committed. */
export interface Tx {
  db: Transaction<Database>
  onCommit: (action: () => void) => void
  /** What to tell of it; written as the last thing before the commit. */
  tidings: Tiding[]
}

/**
 * Runs `work` in one transaction; its commit actions run after the commit and never after a rollback. What `work` reads stays
 * true until the commit: no other transaction runs meanwhile, or, given a `workspace`, none of that workspace and none
 * without one. So whoever asks is held to their roles once more, as they are now.
 */
export async function transaction<T>(
  { db, stillMay }: Pick<Ctx, 'db' | 'stillMay'>,
  work: (tx: Tx) => Promise<T>,
  workspace?: string,
): Promise<T> {
  const inTurn = async (tx: Tx) => {
    // SQLite has one writer anyway.
    if (engineOf(tx.db) === 'postgres') await queue(tx.db, workspace)
    await stillMay?.(tx.db)
    return work(tx)
  }
  return begin(db, inTurn)
}

/**
 * Runs `work` in a transaction that stands in no queue. Those that are started on its handle become a part of it, and queue when
 * they need to.
 */
export async function begin<T>(db: Kysely<Database>, work: (tx: Tx) => Promise<T>): Promise<T> {
  if (isJoinable(db)) return work({ db, ...db[ending] })
  using _turn = await turnOf(db)
  const actions: (() => void)[] = []
  const tidings: Tiding[] = []
  const end: Ending = { onCommit: (action) => actions.push(action), tidings }
  const result = await db.transaction().execute(async (trx) => {
    const done = await work({ db: Object.assign(trx, { [ending]: end }), ...end })
    await appendEvents(trx, tidings)
    return done
  })
  for (const action of actions) action()
  return result
}

/** Where a handle keeps the turnstile that its transactions pass. */
export const changesInTurn = Symbol('which changes come next')

const patience = 10_000

async function turnOf(db: Kysely<Database> & { [changesInTurn]?: Turnstile }): Promise<Disposable | undefined> {
  const turnstile = db[changesInTurn]
  const turn = await turnstile?.enter(patience)
  if (turnstile && !turn) throw new DatabaseUnavailable('too many changes wait for others', false)
  return turn
}

type Ending = Pick<Tx, 'onCommit' | 'tidings'>

const ending = Symbol('what to do with and after the commit')

type Joinable = Transaction<Database> & { [ending]: Ending }

function isJoinable(db: Kysely<Database>): db is Joinable {
  return ending in db
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
