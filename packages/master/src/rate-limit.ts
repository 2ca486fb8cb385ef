import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import type { Logger } from 'pino'
import { engineOf } from './db/portable.ts'
import type { Database } from './db/schema.ts'

/** How many requests a principal has made in the minute that runs, and may still make. */
export interface Allowance {
  allowed: boolean
  limit: number
  remaining: number
  /** Seconds until the next minute begins. */
  reset: number
}

/** Counts the requests of each principal by minutes of the clock. */
export interface RateLimit extends AsyncDisposable {
  /** Counts a request; undefined where there is no limit. */
  take(principal: string): Allowance | undefined
}

interface Count {
  /** Of this master, in the database or not. */
  own: number
  /** Of this master, not yet in the database. */
  unsaved: number
  /** Of the other masters, as of the last time that we looked. */
  others: number
}

const minute = 60_000
const flushEvery = 1000
const perStatement = 500

interface Options {
  /** Requests a minute, 0 for any number. */
  limit: number
  now: () => number
  log: Logger
}

/**
 * Opens the counters. On PostgreSQL the masters of one database add up what they counted once a second, so a principal that
 * uses several of them at once gets at most what those let through within that second beyond the limit. The embedded
 * database has one master, which counts in memory alone.
 */
export function openRateLimit(db: Kysely<Database>, { limit, now, log }: Options): RateLimit {
  const shared = engineOf(db) === 'postgres' && limit > 0
  let started = 0
  let counts = new Map<string, Count>()
  let saving: Promise<void> | undefined

  function minuteOf(moment: number): number {
    return Math.floor(moment / minute)
  }

  async function save(): Promise<void> {
    const [of, saved] = [started, counts]
    const dirty = [...saved].filter(([, count]) => count.unsaved > 0).sort(([a], [b]) => (a < b ? -1 : 1))
    for (let from = 0; from < dirty.length; from += perStatement) await add(db, of, dirty.slice(from, from + perStatement))
    await db
      .deleteFrom('request_counts')
      .where('started', '<', of - 1)
      .execute()
  }

  const timer = setInterval(() => {
    if (saving || counts.size === 0) return
    saving = save()
      // Without the database each master goes on counting for itself.
      .catch((error: unknown) => log.debug({ err: error }, 'requests not added up'))
      .finally(() => {
        saving = undefined
      })
  }, flushEvery)
  timer.unref()
  if (!shared) clearInterval(timer)

  return {
    take(principal) {
      if (limit === 0) return undefined
      const moment = now()
      if (minuteOf(moment) !== started) {
        started = minuteOf(moment)
        counts = new Map()
      }
      const count = counts.get(principal) ?? { own: 0, unsaved: 0, others: 0 }
      counts.set(principal, count)
      const left = limit - count.own - count.others
      const allowed = left > 0
      // What is refused is not counted: the figure shared with others stays that of work done.
      if (allowed) {
        count.own++
        count.unsaved++
      }
      const reset = Math.max(1, Math.ceil(((started + 1) * minute - moment) / 1000))
      return { allowed, limit, remaining: allowed ? left - 1 : 0, reset }
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      await saving
    },
  }
}

async function add(db: Kysely<Database>, started: number, dirty: [string, Count][]): Promise<void> {
  const sent = new Map(dirty.map(([principal, count]) => [principal, count.unsaved]))
  const totals = await db
    .insertInto('request_counts')
    .values(dirty.map(([principal, { unsaved }]) => ({ principal, started, requests: unsaved })))
    .onConflict((conflict) =>
      conflict.columns(['principal', 'started']).doUpdateSet({ requests: sql`request_counts.requests + excluded.requests` }),
    )
    .returning(['principal', 'requests'])
    .execute()
  const byPrincipal = new Map(dirty)
  for (const { principal, requests } of totals) {
    const count = byPrincipal.get(principal)!
    count.unsaved -= sent.get(principal)!
    count.others = Math.max(0, requests - (count.own - count.unsaved))
  }
}
