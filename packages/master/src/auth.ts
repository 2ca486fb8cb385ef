import { ApiError } from '@nxmesh/api/errors'
import type { Tokens } from '@nxmesh/api/routes/auth'
import type { Kysely, Selectable } from 'kysely'
import type { Actor } from './access.ts'
import { networkOf } from './address.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { forUpdate } from './db/portable.ts'
import type { Database } from './db/schema.ts'
import { begin, transaction } from './db/transaction.ts'
import { hashPassword, verifyPassword } from './passwords.ts'
import { auditUser } from './user-audit.ts'
import { beginCookieSession, beginTokenSession, continueSession, endSessions, familyOf } from './user-sessions.ts'

// Looked for where there is no user, so that it takes as long.
const nobody = '00000000-0000-0000-0000-000000000000'

interface Credentials {
  email: string
  password: string
}

/** Trades an e-mail address and a password for tokens. */
export async function login(ctx: Ctx, credentials: Credentials): Promise<Tokens> {
  const { user, sessionId, refreshToken } = await signIn(ctx, credentials, beginTokenSession)
  return answer(ctx, user.id, sessionId, refreshToken)
}

/** Trades an e-mail address and a password for a session that a cookie carries. */
export async function openCookie(ctx: Ctx, credentials: Credentials): Promise<{ actor: Actor; cookie: string }> {
  const { user, sessionId, cookie } = await signIn(ctx, credentials, beginCookieSession)
  const credential = { kind: 'session', id: sessionId } as const
  const must_change_password = user.password_expires_at !== null
  return { actor: { user_id: user.id, email: user.email, credential, must_change_password }, cookie }
}

/** Trades a refresh token for a new pair. A token that comes a second time was stolen or leaked: its whole session ends. */
export async function refresh(ctx: Ctx, body: { refresh_token: string }): Promise<Tokens> {
  const next = await begin(ctx.db, async ({ db }) => {
    const found = await continueSession(ctx, db, body.refresh_token)
    if (found?.kind === 'reused') await noteSignIn(ctx, db, found.userId, 'auth.refresh-reused')
    return found?.kind === 'next' ? found : undefined
  })
  if (!next) throw new ApiError('UNAUTHORIZED', 'the refresh token is not valid or no longer so')
  return answer(ctx, next.userId, next.sessionId, next.refreshToken)
}

/** Ends the session that a request came with, and the one of a refresh token of the same user if that is given too. */
export async function logout(ctx: Ctx, actor: Actor, refreshToken?: string): Promise<void> {
  const family = refreshToken === undefined ? undefined : await familyOf(ctx.db, refreshToken)
  await begin(ctx.db, async ({ db }) => {
    if (actor.credential.kind === 'session') await endSessions(db, actor.user_id, { only: actor.credential.id })
    if (family?.user_id === actor.user_id) await endSessions(db, actor.user_id, { only: family.family })
    await auditUser(ctx, db, { id: actor.user_id, email: actor.email }, {})
  })
}

/** Changes one's own password, for which the present one is needed, and ends one's other sessions. */
export async function changePassword(ctx: Ctx, actor: Actor, body: { current_password: string; new_password: string }): Promise<void> {
  const known = await isKnown(ctx, actor.user_id)
  const user = await ctx.db.selectFrom('users').selectAll().where('id', '=', actor.user_id).executeTakeFirst()
  if (!user) throw new ApiError('UNAUTHORIZED', 'this user is no longer there')
  const right = await ctx.signIns.attempt({ email: user.email, address: addressOf(ctx), known }, () =>
    rightPassword(body.current_password, user.password_hash),
  )
  if (!right) throw refused('current_password', 'is not the present password')
  if (body.new_password.normalize('NFC') === body.current_password.normalize('NFC'))
    throw refused('new_password', 'is the present password')
  const password_hash = await hashPassword(body.new_password)
  await transaction(ctx, async ({ db }) => {
    const { numUpdatedRows } = await db
      .updateTable('users')
      .set({ password_hash, password_expires_at: null, updated_at: timestamp(ctx) })
      .where('id', '=', actor.user_id)
      .where('password_hash', '=', user.password_hash)
      .executeTakeFirstOrThrow()
    if (numUpdatedRows === 0n) throw new ApiError('CONFLICT', 'the password was changed meanwhile')
    await endSessions(db, actor.user_id, actor.credential.kind === 'session' ? { but: actor.credential.id } : {})
    await auditUser(ctx, db, user, {})
  })
}

type User = Selectable<Database['users']>
type Begin<S> = (ctx: Ctx, db: Kysely<Database>, userId: string, address: string) => Promise<S>

async function signIn<S extends object>(ctx: Ctx, { email, password }: Credentials, beginSession: Begin<S>): Promise<S & { user: User }> {
  const address = email.trim().toLowerCase()
  const user = await ctx.db.selectFrom('users').selectAll().where('email', '=', address).executeTakeFirst()
  const known = await isKnown(ctx, user?.id ?? nobody)
  const right = await ctx.signIns.attempt({ email: address, address: addressOf(ctx), known }, () =>
    rightPassword(password, user?.password_hash),
  )
  if (!user || !right) {
    // In the log alone: a record in the database would take a time that tells accounts from others.
    ctx.log.warn({ user_id: user?.id, address: ctx.origin?.address, request_id: ctx.origin?.requestId }, 'sign-in failed')
    throw wrongCredentials()
  }
  if (user.password_expires_at !== null && user.password_expires_at <= timestamp(ctx)) {
    throw new ApiError('UNAUTHORIZED', 'this one-time password has expired; ask for another')
  }
  return begin(ctx.db, async ({ db }) => {
    // Whoever changes the password ends the sessions that there are, so none may begin by the old one meanwhile.
    const [present] = await forUpdate(db, db.selectFrom('users').selectAll().where('id', '=', user.id)).execute()
    if (present?.password_hash !== user.password_hash) throw wrongCredentials()
    const session = await beginSession(ctx, db, user.id, addressOf(ctx))
    await noteSignIn(ctx, db, user.id)
    return { ...session, user: present }
  })
}

// The audit log of each organization of the user.
async function noteSignIn(ctx: Ctx, db: Kysely<Database>, userId: string, action?: string): Promise<void> {
  const user = await db.selectFrom('users').select(['id', 'email']).where('id', '=', userId).executeTakeFirst()
  if (!user) return
  const actor = { kind: 'user', id: user.id, name: user.email, token: null } as const
  await auditUser(ctx, db, user, action === undefined ? { actor } : { action })
}

function wrongCredentials(): ApiError {
  return new ApiError('UNAUTHORIZED', 'wrong e-mail address or password')
}

async function rightPassword(password: string, hash: string | undefined): Promise<true | undefined> {
  return (await verifyPassword(password, hash)) ? true : undefined
}

// Whether this user has a session from here already.
async function isKnown(ctx: Ctx, userId: string): Promise<boolean> {
  const row = await ctx.db
    .selectFrom('sessions')
    .select('id')
    .where('user_id', '=', userId)
    .where('address', '=', addressOf(ctx))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}

async function answer(ctx: Ctx, userId: string, sessionId: string, refreshToken: string): Promise<Tokens> {
  const access_token = await ctx.tokens.sign({ userId, sessionId })
  return { access_token, refresh_token: refreshToken, expires_in: ctx.tokens.lifetime, token_type: 'Bearer' }
}

function addressOf(ctx: Ctx): string {
  return networkOf(ctx.origin?.address ?? '')
}

function refused(field: string, message: string): ApiError {
  return new ApiError('VALIDATION_ERROR', 'Request validation failed', [{ field, message, code: 'INVALID_VALUE' }])
}
