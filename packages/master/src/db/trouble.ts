import pg from 'pg'

/** The database does not answer, or cannot take the statement now; the same may go through later. */
export class DatabaseUnavailable extends Error {
  override name = 'DatabaseUnavailable'
  /** Whether the connection is no longer good. */
  readonly lost: boolean

  constructor(message: string, lost: boolean, options?: ErrorOptions) {
    super(message, options)
    this.lost = lost
  }

  /** What PostgreSQL's client threw as this error, or undefined when it means something else. */
  static from(error: unknown): DatabaseUnavailable | undefined {
    if (error instanceof DatabaseUnavailable) return error
    if (!(error instanceof Error)) return undefined
    const code = (error as { code?: string }).code ?? ''
    if (error instanceof pg.DatabaseError) {
      const lost = /^(08|57P|25P03)/.test(code) || stalePlan.test(error.message)
      return lost || passing.test(code) ? new DatabaseUnavailable(error.message, lost, { cause: error }) : undefined
    }
    if (unreachable.test(code) || broken.test(error.message)) {
      return new DatabaseUnavailable(error.message || code, true, { cause: error })
    }
    return undefined
  }
}

// SQLSTATE classes (PostgreSQL manual, appendix A): insufficient resources, operator intervention, system error, lock not
// available, serialization failure, deadlock, a standby that takes no writes, and a transaction that was left open.
const passing = /^(53...|57...|58...|55P03|40001|40P01|25006|25P03)$/
// A wrong password or no such database stops a start, but while a master runs somebody is at work on the database.
const closed = /^(28...|3D...)$/
// A table changed under a statement that was prepared before.
const stalePlan = /^cached plan must not change result type/
const unreachable = /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN|ENOENT)$/
// The client's own errors have no code.
const broken =
  /^(Connection terminated|Client (was closed|has encountered)|timeout exceeded when trying|Query read timeout|Cannot use a pool)/

// SQLITE_BUSY, SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL and SQLITE_CANTOPEN: a reader or the disk is in the way.
const sqlitePassing = new Set([5, 8, 10, 13, 14])
// SQLITE_CONSTRAINT_UNIQUE and SQLITE_CONSTRAINT_PRIMARYKEY.
const sqliteDuplicate = new Set([2067, 1555])

/** Whether an error of either engine means that the same request may go through later. */
export function isUnavailable(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  if (error instanceof pg.DatabaseError && closed.test(error.code ?? '')) return true
  return error instanceof DatabaseUnavailable || (errcode !== undefined && sqlitePassing.has(errcode & 0xff))
}

/** Whether an error of either engine means that a unique index refused a row. */
export function isDuplicate(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  if (errcode !== undefined) return sqliteDuplicate.has(errcode)
  return error instanceof pg.DatabaseError && error.code === '23505'
}

// SQLITE_CONSTRAINT_FOREIGNKEY.
const sqliteOrphan = 787

/** Whether an error of either engine means that a row was to belong to one that is not there. */
export function isOrphan(error: unknown): boolean {
  const { errcode } = error as { errcode?: number }
  return errcode === sqliteOrphan || (error instanceof pg.DatabaseError && error.code === '23503')
}

/** Whether PostgreSQL refused a text because it holds a character that it cannot store: only NUL, which SQLite takes. */
export function isUnstorable(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.code === '22021'
}
