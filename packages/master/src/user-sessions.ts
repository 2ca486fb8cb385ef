import { createHash, randomBytes } from 'node:crypto'
import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { uuidv7 } from './uuid.ts'

const day = 24 * 3600 * 1000
const refreshLifetime = 30 * day
/** Milliseconds that a cookie is good for. */
export const cookieLifetime = 7 * day

type Clock = Pick<Ctx, 'now'>
type Db = Kysely<Database>

/** Begins a session that is carried by a refresh token, which is returned with its id. */
export async function beginTokenSession(ctx: Clock, db: Db, userId: string, address: string) {
  const session = newSession(ctx, userId, address, refreshLifetime)
  await db.insertInto('sessions').values(session).execute()
  return { sessionId: session.id, refreshToken: await issueRefreshToken(ctx, db, userId, session.id) }
}

/** Begins a session that is carried by a cookie, whose value is returned with its id. */
export async function beginCookieSession(ctx: Clock, db: Db, userId: string, address: string) {
  const cookie = randomBytes(32).toString('base64url')
  const session = newSession(ctx, userId, address, cookieLifetime)
  await db
    .insertInto('sessions')
    .values({ ...session, cookie_hash: hashOf(cookie) })
    .execute()
  return { sessionId: session.id, cookie }
}

/**
 * Uses up a refresh token and goes on with its session. A token that comes a second time (`reused`) was stolen or leaked, and
 * its whole session ends.
 */
export async function continueSession(ctx: Clock, db: Db, token: string) {
  const used = await db
    .updateTable('refresh_tokens')
    .set({ used_at: timestamp(ctx) })
    .where('hash', '=', hashOf(token))
    .where('used_at', 'is', null)
    .where('expires_at', '>', timestamp(ctx))
    .returning(['user_id', 'family'])
    .executeTakeFirst()
  if (used) {
    const { user_id: userId, family: sessionId } = used
    const expires_at = new Date(ctx.now() + refreshLifetime).toISOString()
    const { numUpdatedRows } = await db.updateTable('sessions').set({ expires_at }).where('id', '=', sessionId).executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) return undefined
    return { kind: 'next' as const, userId, sessionId, refreshToken: await issueRefreshToken(ctx, db, userId, sessionId) }
  }
  const reused = await familyOf(db, token)
  if (!reused) return undefined
  await endSessions(db, reused.user_id, { only: reused.family })
  return { kind: 'reused' as const, userId: reused.user_id }
}

/** The user and the session that a refresh token belongs to, used or not. */
export async function familyOf(db: Db, token: string) {
  return db.selectFrom('refresh_tokens').select(['user_id', 'family']).where('hash', '=', hashOf(token)).executeTakeFirst()
}

/** Ends sessions of a user: one, all but one, or all. */
export async function endSessions(db: Db, userId: string, which: { only?: string; but?: string } = {}): Promise<void> {
  const { only, but } = which
  let tokens = db.deleteFrom('refresh_tokens').where('user_id', '=', userId)
  let sessions = db.deleteFrom('sessions').where('user_id', '=', userId)
  if (only !== undefined) [tokens, sessions] = [tokens.where('family', '=', only), sessions.where('id', '=', only)]
  if (but !== undefined) [tokens, sessions] = [tokens.where('family', '!=', but), sessions.where('id', '!=', but)]
  await tokens.execute()
  await sessions.execute()
}

/** Deletes what ended by itself; returns how much. */
export async function deleteEndedSessions(ctx: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const ended = timestamp(ctx)
  let deleted = 0
  for (const table of ['refresh_tokens', 'sessions', 'api_tokens', 'invitations'] as const) {
    const { numDeletedRows } = await ctx.db.deleteFrom(table).where('expires_at', '<', ended).executeTakeFirst()
    deleted += Number(numDeletedRows)
  }
  return deleted
}

export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}

async function issueRefreshToken(ctx: Clock, db: Db, userId: string, sessionId: string): Promise<string> {
  const refreshToken = randomBytes(32).toString('base64url')
  const expires_at = new Date(ctx.now() + refreshLifetime).toISOString()
  await db
    .insertInto('refresh_tokens')
    .values({ hash: hashOf(refreshToken), family: sessionId, user_id: userId, expires_at, used_at: null })
    .execute()
  return refreshToken
}

function newSession(ctx: Clock, userId: string, address: string, lifetime: number) {
  const expires_at = new Date(ctx.now() + lifetime).toISOString()
  return { id: uuidv7(ctx.now()), user_id: userId, cookie_hash: null, address, created_at: timestamp(ctx), expires_at }
}
