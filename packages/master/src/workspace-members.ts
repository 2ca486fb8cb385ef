import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import { type WorkspaceMember, workspaceMemberChanges } from '@nxmesh/model/member'
import type { WorkspaceRole } from '@nxmesh/model/roles'
import type { Kysely } from 'kysely'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'

type Db = Kysely<Database>

export async function listWorkspaceMembers(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db
    .selectFrom('workspace_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .where('m.workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const data = await all
    .select(['m.user_id', 'u.email', 'u.name', 'm.role', 'm.created_at'])
    .orderBy('m.created_at')
    .orderBy('m.user_id')
    .limit(limit)
    .offset(offset)
    .execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data, meta: { ...paging, total } }
}

/** Gives a member of the organization a role in one of its workspaces. */
export async function addWorkspaceMember(
  ctx: Ctx,
  workspaceId: string,
  { user_id, role }: { user_id: string; role: WorkspaceRole },
): Promise<Tagged<WorkspaceMember>> {
  return refusingDuplicate('user_id', 'this user is a member already', () =>
    transaction(ctx, async ({ db }) => {
      const belongs = await db
        .selectFrom('workspaces as w')
        .innerJoin('organization_members as o', 'o.organization_id', 'w.organization_id')
        .select('o.user_id')
        .where('w.id', '=', workspaceId)
        .where('o.user_id', '=', user_id)
        .executeTakeFirst()
      if (!belongs) {
        throw invalid([{ field: 'user_id', message: 'is not a member of the organization', code: 'UNKNOWN_REFERENCE' }])
      }
      await db
        .insertInto('workspace_members')
        .values({ workspace_id: workspaceId, user_id, role, created_at: timestamp(ctx), revision: 1 })
        .execute()
      const added = await read(db, workspaceId, user_id)
      await audit(ctx, db, { workspaceId, object: objectOf(added.body), after: added.body })
      return added
    }),
  )
}

export async function getWorkspaceMember(ctx: Pick<Ctx, 'db'>, workspaceId: string, userId: string) {
  return read(ctx.db, workspaceId, userId)
}

export async function updateWorkspaceMember(
  ctx: Ctx,
  { workspace_id, user_id }: { workspace_id: string; user_id: string },
  patch: Patch<{ role: WorkspaceRole }>,
  ifMatch: string | undefined,
): Promise<Tagged<WorkspaceMember>> {
  return transaction(ctx, async ({ db }) => {
    const { body: before, revision } = await read(db, workspace_id, user_id)
    requireMatch(ifMatch, revision)
    const { role } = patched(workspaceMemberChanges, { role: before.role }, patch)
    if (role === before.role) return { body: before, revision }
    const after = { body: { ...before, role }, revision: revision + 1 }
    await db
      .updateTable('workspace_members')
      .set({ role, revision: after.revision })
      .where('workspace_id', '=', workspace_id)
      .where('user_id', '=', user_id)
      .execute()
    await audit(ctx, db, { workspaceId: workspace_id, object: objectOf(before), before, after: after.body })
    return after
  })
}

export async function removeWorkspaceMember(
  ctx: Ctx,
  { workspace_id, user_id }: { workspace_id: string; user_id: string },
  ifMatch: string | undefined,
): Promise<void> {
  await transaction(ctx, async ({ db }) => {
    const { body: before, revision } = await read(db, workspace_id, user_id)
    requireMatch(ifMatch, revision)
    await db.deleteFrom('workspace_members').where('workspace_id', '=', workspace_id).where('user_id', '=', user_id).execute()
    await audit(ctx, db, { workspaceId: workspace_id, object: objectOf(before), before })
  })
}

async function read(db: Db, workspaceId: string, userId: string): Promise<Tagged<WorkspaceMember>> {
  const row = await db
    .selectFrom('workspace_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select(['m.user_id', 'u.email', 'u.name', 'm.role', 'm.created_at', 'm.revision'])
    .where('m.workspace_id', '=', workspaceId)
    .where('m.user_id', '=', userId)
    .executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'member not found')
  const { revision, ...body } = row
  return { body, revision }
}

function objectOf({ user_id, email }: WorkspaceMember) {
  return { kind: 'workspace_member', id: user_id, name: email }
}
