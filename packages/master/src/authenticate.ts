import { ApiError } from '@nxmesh/api/errors'
import type { Actor } from './access.ts'
import { apiTokenHash, isApiToken } from './api-token.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { inLists } from './db/in-list.ts'
import { prepared } from './db/prepared.ts'
import { hashOf } from './user-sessions.ts'

/** The user that an Authorization header speaks for, by an access token or an API token; throws UNAUTHORIZED. */
export async function authenticate(ctx: Ctx, authorization: string): Promise<Actor> {
  const token = /^Bearer ([A-Za-z0-9._~+/-]+=*)$/i.exec(authorization)?.[1]
  if (token === undefined) throw new ApiError('UNAUTHORIZED', 'send an access token as "Authorization: Bearer …"')
  const actor = isApiToken(token) ? await byApiToken(ctx, token) : await byAccessToken(ctx, token)
  if (!actor) throw new ApiError('UNAUTHORIZED', 'the access token is not valid or no longer so')
  return actor
}

/** The user whose session a cookie carries, or undefined when it is not valid or no longer so. */
export async function authenticateCookie(ctx: Ctx, cookie: string): Promise<Actor | undefined> {
  return bySession(ctx, 'cookie_hash', hashOf(cookie))
}

/** When the access token of a session ends, in milliseconds since the epoch; undefined for what is none. */
export async function endOf(ctx: Ctx, token: string): Promise<number | undefined> {
  return isApiToken(token) ? undefined : (await ctx.tokens.verify(token))?.ends
}

/** Of these actors' sessions and API tokens the ids of those that are still good. */
export async function stillGood(ctx: Pick<Ctx, 'db' | 'now'>, actors: Iterable<Actor>): Promise<Set<string>> {
  const ids: Record<Actor['credential']['kind'], string[]> = { session: [], api_token: [] }
  for (const { credential } of actors) ids[credential.kind].push(credential.id)
  const good = new Set<string>()
  for (const list of inLists(ids.session)) {
    const rows = await ctx.db
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .select('s.id')
      .where('s.id', 'in', list)
      .where('s.expires_at', '>', timestamp(ctx))
      .where('u.password_expires_at', 'is', null)
      .execute()
    for (const { id } of rows) good.add(id)
  }
  for (const list of inLists(ids.api_token)) {
    const rows = await ctx.db
      .selectFrom('api_tokens')
      .select('id')
      .where('id', 'in', list)
      .where('expires_at', '>', timestamp(ctx))
      .execute()
    for (const { id } of rows) good.add(id)
  }
  return good
}

async function byAccessToken(ctx: Ctx, token: string): Promise<Actor | undefined> {
  const claims = await ctx.tokens.verify(token)
  if (!claims) return undefined
  const actor = await bySession(ctx, 'id', claims.sessionId)
  return actor?.user_id === claims.userId ? actor : undefined
}

const readSession = { id: sessionBy('id'), cookie_hash: sessionBy('cookie_hash') }

function sessionBy(column: 'id' | 'cookie_hash') {
  return prepared((db, value: string, now: string) =>
    db
      .selectFrom('sessions as s')
      .innerJoin('users as u', 'u.id', 's.user_id')
      .select(['s.id', 's.user_id', 'u.email', 'u.password_expires_at'])
      .where(`s.${column}`, '=', value)
      .where('s.expires_at', '>', now),
  )
}

// Looked up with each request, so that a session that has ended is worth nothing at once.
async function bySession(ctx: Ctx, column: 'id' | 'cookie_hash', value: string): Promise<Actor | undefined> {
  const [row] = await readSession[column](ctx.db, value, timestamp(ctx))
  if (!row || isOver(ctx, row.password_expires_at)) return undefined
  const { id, user_id, email, password_expires_at } = row
  return { user_id, email, credential: { kind: 'session', id }, must_change_password: password_expires_at !== null }
}

async function byApiToken(ctx: Ctx, token: string): Promise<Actor | undefined> {
  const hash = apiTokenHash(token)
  if (hash === undefined) return undefined
  const row = await ctx.db
    .selectFrom('api_tokens as t')
    .innerJoin('users as u', 'u.id', 't.user_id')
    .selectAll('t')
    .select('u.email')
    .where('t.hash', '=', hash)
    .where('t.expires_at', '>', timestamp(ctx))
    .executeTakeFirst()
  if (!row) return undefined
  await noteUse(ctx, row)
  const { id, name, user_id, email, organization_id, workspace_id, role, expires_at } = row
  const credential = { kind: 'api_token', id, name, organization_id, workspace_id, role, expires_at } as const
  return { user_id, email, credential, must_change_password: false }
}

// Once an hour, so that a busy token costs one write in it.
async function noteUse(ctx: Ctx, { id, last_used_at }: { id: string; last_used_at: string | null }): Promise<void> {
  if (last_used_at !== null && Date.parse(last_used_at) > ctx.now() - hour) return
  await ctx.db
    .updateTable('api_tokens')
    .set({ last_used_at: timestamp(ctx) })
    .where('id', '=', id)
    .execute()
}

const hour = 3_600_000

function isOver(ctx: Ctx, moment: string | null): boolean {
  return moment !== null && moment <= timestamp(ctx)
}
