import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { ApiToken, ApiTokenInput } from '@nxmesh/model/api-token'
import type { Selectable } from 'kysely'
import { type Actor, seesWorkspace } from './access.ts'
import { newApiToken } from './api-token.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { rangeOf } from './page.ts'
import { uuidv7 } from './uuid.ts'

type Row = Selectable<Database['api_tokens']>

const day = 24 * 3_600_000
const most = 100

export async function listApiTokens(ctx: Ctx, actor: Actor, paging: Paging) {
  const own = ctx.db.selectFrom('api_tokens').where('user_id', '=', actor.user_id)
  const { limit, offset } = rangeOf(paging)
  const rows = await own.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await own.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

/** Creates a token that acts as the actor, in what the actor sees. It never does more than the actor may at the time. */
export async function createApiToken(ctx: Ctx, actor: Actor, input: ApiTokenInput): Promise<ApiToken & { token: string }> {
  const { name, organization_id, workspace_id, role, expires_in_days } = input
  const { token, prefix, hash } = newApiToken()
  const expires_at = new Date(ctx.now() + expires_in_days * day).toISOString()
  return transaction(ctx, async ({ db }) => {
    const member = await db
      .selectFrom('organization_members')
      .select('role')
      .where('organization_id', '=', organization_id)
      .where('user_id', '=', actor.user_id)
      .executeTakeFirst()
    if (!member) {
      const message = 'is not an organization that you belong to'
      throw invalid([{ field: 'organization_id', message, code: 'UNKNOWN_REFERENCE' }])
    }
    if (workspace_id !== null && !(await seesWorkspace(db, actor, organization_id, workspace_id))) {
      const message = 'is not a workspace of this organization that you may see'
      throw invalid([{ field: 'workspace_id', message, code: 'UNKNOWN_REFERENCE' }])
    }
    const own = db.selectFrom('api_tokens').where('user_id', '=', actor.user_id)
    const { total } = await own.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
    if (total >= most) throw new ApiError('CONFLICT', `a user has at most ${most} API tokens; delete one first`)
    const scope = { organization_id, workspace_id, role }
    const created_at = timestamp(ctx)
    const row: Row = {
      id: uuidv7(ctx.now()),
      user_id: actor.user_id,
      name,
      ...scope,
      prefix,
      hash,
      created_at,
      expires_at,
      last_used_at: null,
    }
    await db.insertInto('api_tokens').values(row).execute()
    await audit(ctx, db, { organizationId: organization_id, ...placeOf(row), object: objectOf(row), after: shown(row) })
    return { ...shown(row), token }
  })
}

export async function getApiToken(ctx: Ctx, id: string): Promise<ApiToken> {
  const row = await ctx.db.selectFrom('api_tokens').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'API token not found')
  return shown(row)
}

export async function deleteApiToken(ctx: Ctx, id: string): Promise<void> {
  await transaction(ctx, async ({ db }) => {
    const row = await db.deleteFrom('api_tokens').where('id', '=', id).returningAll().executeTakeFirst()
    if (!row) throw new ApiError('NOT_FOUND', 'API token not found')
    await audit(ctx, db, { organizationId: row.organization_id, ...placeOf(row), object: objectOf(row), before: shown(row) })
  })
}

function placeOf({ workspace_id }: Row): { workspaceId?: string } {
  return workspace_id === null ? {} : { workspaceId: workspace_id }
}

function shown({ user_id: _user, hash: _hash, ...row }: Row): ApiToken {
  return row
}

function objectOf({ id, name }: Row) {
  return { kind: 'api_token', id, name }
}
