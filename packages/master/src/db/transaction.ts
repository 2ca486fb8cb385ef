import type { Kysely, Transaction } from 'kysely'
import type { Database } from './schema.ts'

/** A transaction that can be told what to do once it has committed. */
export interface Tx {
  db: Transaction<Database>
  onCommit: (action: () => void) => void
}

/** Runs `work` in one transaction; its commit actions run after the commit and never after a rollback. */
export async function transaction<T>(db: Kysely<Database>, work: (tx: Tx) => Promise<T>): Promise<T> {
  const actions: (() => void)[] = []
  const result = await db.transaction().execute((trx) => work({ db: trx, onCommit: (action) => actions.push(action) }))
  for (const action of actions) action()
  return result
}
