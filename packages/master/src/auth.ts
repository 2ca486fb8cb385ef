import { createHash, randomBytes } from 'node:crypto'
import { ApiError } from '@nxmesh/api/errors'
import type { Tokens } from '@nxmesh/api/routes/auth'
import type { Kysely } from 'kysely'
import type { Actor } from './access.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { verifyPassword } from './passwords.ts'
import { uuidv7 } from './uuid.ts'

const refreshLifetime = 30 * 24 * 3600 * 1000

/** Trades an e-mail address and a password for tokens. */
export async function login(ctx: Ctx, body: { email: string; password: string }): Promise<Tokens> {
  const user = await ctx.db.selectFrom('users').selectAll().where('email', '=', body.email.trim().toLowerCase()).executeTakeFirst()
  const right = await verifyPassword(body.password, user?.password_hash)
  if (!user || !right) throw new ApiError('UNAUTHORIZED', 'wrong e-mail address or password')
  const refreshToken = await issueRefreshToken(ctx, ctx.db, user.id, uuidv7(ctx.now()))
  return answer(ctx, user.id, refreshToken)
}

/** Trades a refresh token for a new pair. A token that comes a second time was stolen or leaked: its whole family ends. */
export async function refresh(ctx: Ctx, body: { refresh_token: string }): Promise<Tokens> {
  const hash = hashOf(body.refresh_token)
  const result = await transaction(ctx.db, async (tx) => {
    const used = await tx.db
      .updateTable('refresh_tokens')
      .set({ used_at: timestamp(ctx) })
      .where('hash', '=', hash)
      .where('used_at', 'is', null)
      .where('expires_at', '>', timestamp(ctx))
      .returning(['user_id', 'family'])
      .executeTakeFirst()
    if (used) return { userId: used.user_id, refreshToken: await issueRefreshToken(ctx, tx.db, used.user_id, used.family) }
    const reused = await tx.db.selectFrom('refresh_tokens').select('family').where('hash', '=', hash).executeTakeFirst()
    if (reused) await tx.db.deleteFrom('refresh_tokens').where('family', '=', reused.family).execute()
    return undefined
  })
  if (!result) throw new ApiError('UNAUTHORIZED', 'the refresh token is not valid or no longer so')
  return answer(ctx, result.userId, result.refreshToken)
}

/** The user that an Authorization header speaks for; throws UNAUTHORIZED. */
export async function authenticate(ctx: Ctx, authorization: string | undefined): Promise<Actor> {
  const token = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization ?? '')?.[1]
  if (token === undefined) throw new ApiError('UNAUTHORIZED', 'send an access token as "Authorization: Bearer …"')
  const userId = await ctx.tokens.verify(token)
  const user =
    userId === undefined ? undefined : await ctx.db.selectFrom('users').select('email').where('id', '=', userId).executeTakeFirst()
  if (userId === undefined || !user) throw new ApiError('UNAUTHORIZED', 'the access token is not valid or no longer so')
  return { user_id: userId, email: user.email }
}

/** Deletes refresh tokens that ended; returns how many. */
export async function deleteEndedTokens(ctx: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const result = await ctx.db.deleteFrom('refresh_tokens').where('expires_at', '<', timestamp(ctx)).executeTakeFirst()
  return Number(result.numDeletedRows)
}

async function issueRefreshToken(ctx: Ctx, db: Kysely<Database>, userId: string, family: string): Promise<string> {
  const refreshToken = randomBytes(32).toString('base64url')
  const expires_at = new Date(ctx.now() + refreshLifetime).toISOString()
  await db
    .insertInto('refresh_tokens')
    .values({ hash: hashOf(refreshToken), family, user_id: userId, expires_at, used_at: null })
    .execute()
  return refreshToken
}

async function answer(ctx: Ctx, userId: string, refreshToken: string): Promise<Tokens> {
  const access_token = await ctx.tokens.sign(userId)
  return { access_token, refresh_token: refreshToken, expires_in: ctx.tokens.lifetime, token_type: 'Bearer' }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
