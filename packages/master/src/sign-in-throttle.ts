import { createHash } from 'node:crypto'
import { ApiError } from '@nxmesh/api/errors'
import type { Kysely } from 'kysely'
import { sql } from 'kysely'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { openTurnstile } from './turnstile.ts'

/** Holds those up who guess passwords. The failures are counted in the database, so all masters of one count together. */
export interface SignInThrottle {
  /**
   * Runs `verify`, which tells whether the password was right, unless too many failed before: then it throws RATE_LIMITED. Only
   * failures count. `known` says that this user has a session from this address: what others do elsewhere does not lock them out.
   */
  attempt<T>(attempt: Attempt, verify: () => Promise<T | undefined>): Promise<T | undefined>
  /** Forgets the failures of an account from everywhere: somebody who may do so has given it another password. */
  forgive(db: Kysely<Database>, email: string): Promise<void>
}

interface Attempt {
  email: string
  /** As `networkOf` gives it. */
  address: string
  known: boolean
}

interface Subject {
  subject: string
  most: number
}

const period = 15 * 60_000
// As many as there are threads to derive keys in: more at once would not be faster, and each could slip past the count once.
const atOnce = 4

/**
 * Lets one account be tried `most` times from one address within a quarter of an hour, an address five times as often and an
 * account ten times as often; 0 lets everything through.
 */
export function openSignInThrottle(ctx: Pick<Ctx, 'db' | 'now'>, most: number): SignInThrottle {
  const turnstile = openTurnstile(atOnce)
  return {
    async attempt(attempt, verify) {
      const subjects = most === 0 ? [] : subjectsOf(attempt, most)
      // Once for those who need not wait to be refused, and once it is their turn.
      await requireFew(ctx, subjects)
      using _turn = await turnstile.enter()
      await requireFew(ctx, subjects)
      const right = await verify()
      if (right === undefined) await countFailure(ctx, subjectsOf({ ...attempt, known: false }, most))
      else if (most > 0) await forget(ctx.db, subjectsOf(attempt, most)[0]!)
      return right
    },
    async forgive(db, email) {
      const account = accountOf(email)
      // What it did from each address begins with its own name.
      await db
        .deleteFrom('sign_in_failures')
        .where((eb) =>
          eb.or([eb('subject', '=', `account ${account}`), eb.and([eb('subject', '>', `${account} `), eb('subject', '<', `${account}!`)])]),
        )
        .execute()
    },
  }
}

/** Deletes counts that are over; returns how many. */
export async function deleteEndedFailures(ctx: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const { numDeletedRows } = await ctx.db.deleteFrom('sign_in_failures').where('ends_at', '<', timestamp(ctx)).executeTakeFirst()
  return Number(numDeletedRows)
}

// Hashed, because people type their password where the address belongs.
function accountOf(email: string): string {
  return createHash('sha256').update(email).digest('base64url')
}

// The first is what this account does from this address.
function subjectsOf({ email, address, known }: Attempt, most: number): Subject[] {
  const account = accountOf(email)
  const both = { subject: `${account} ${address}`, most }
  if (known) return [both]
  return [both, { subject: `address ${address}`, most: most * 5 }, { subject: `account ${account}`, most: most * 10 }]
}

async function requireFew(ctx: Pick<Ctx, 'db' | 'now'>, subjects: Subject[]): Promise<void> {
  if (subjects.length === 0) return
  const rows = await ctx.db
    .selectFrom('sign_in_failures')
    .selectAll()
    .where(
      'subject',
      'in',
      subjects.map(({ subject }) => subject),
    )
    .where('ends_at', '>', timestamp(ctx))
    .execute()
  const full = rows.filter((row) => row.failures >= subjects.find(({ subject }) => subject === row.subject)!.most)
  if (full.length === 0) return
  const seconds = Math.ceil((Math.max(...full.map((row) => Date.parse(row.ends_at))) - ctx.now()) / 1000)
  throw new ApiError('RATE_LIMITED', 'too many failed sign-ins; wait before the next', [], { retryAfter: Math.max(seconds, 1) })
}

async function countFailure(ctx: Pick<Ctx, 'db' | 'now'>, subjects: Subject[]): Promise<void> {
  const now = timestamp(ctx)
  const ends_at = new Date(ctx.now() + period).toISOString()
  // In one order, so that two statements never wait for each other.
  const rows = subjects.map(({ subject }) => ({ subject, failures: 1, ends_at })).sort((a, b) => (a.subject < b.subject ? -1 : 1))
  await ctx.db
    .insertInto('sign_in_failures')
    .values(rows)
    .onConflict((conflict) =>
      conflict.column('subject').doUpdateSet({
        failures: sql`case when sign_in_failures.ends_at <= ${now} then 1 else sign_in_failures.failures + 1 end`,
        ends_at: sql`case when sign_in_failures.ends_at <= ${now} then excluded.ends_at else sign_in_failures.ends_at end`,
      }),
    )
    .execute()
}

async function forget(db: Kysely<Database>, { subject }: Subject): Promise<void> {
  await db.deleteFrom('sign_in_failures').where('subject', '=', subject).execute()
}
