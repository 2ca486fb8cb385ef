import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import { type OrganizationMember, organizationMemberChanges } from '@nxmesh/model/member'
import { isOrganizationRole, type OrganizationRole } from '@nxmesh/model/roles'
import type { Kysely } from 'kysely'
import { type Actor, organizationRole, seesUser } from './access.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'

type Db = Kysely<Database>

export async function listOrganizationMembers(ctx: Ctx, organizationId: string, paging: Paging) {
  const all = ctx.db
    .selectFrom('organization_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .where('m.organization_id', '=', organizationId)
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

/** Adds a user to an organization: one whom the actor sees anyway, so that nobody can try out who has an account. */
export async function addOrganizationMember(
  ctx: Ctx,
  actor: Actor,
  organizationId: string,
  input: { user_id: string; role: OrganizationRole },
): Promise<Tagged<OrganizationMember>> {
  const { user_id, role } = input
  const message = 'this user is a member already'
  return refusingDuplicate('user_id', message, () =>
    transaction(ctx, async ({ db }) => {
      await requireMay(db, actor, organizationId, role)
      if (!(await seesUser(db, actor, user_id))) {
        throw invalid([{ field: 'user_id', message: 'is not a user that you may see; invite them', code: 'UNKNOWN_REFERENCE' }])
      }
      const created_at = timestamp(ctx)
      await db
        .insertInto('organization_members')
        .values({ organization_id: organizationId, user_id, role, created_at, revision: 1 })
        .execute()
      const added = await read(db, organizationId, user_id)
      await audit(ctx, db, { organizationId, object: objectOf(added.body), after: added.body })
      return added
    }),
  )
}

export async function getOrganizationMember(ctx: Pick<Ctx, 'db'>, organizationId: string, userId: string) {
  return read(ctx.db, organizationId, userId)
}

export async function updateOrganizationMember(
  ctx: Ctx,
  actor: Actor,
  { organization_id, user_id }: { organization_id: string; user_id: string },
  patch: Patch<{ role: OrganizationRole }>,
  ifMatch: string | undefined,
): Promise<Tagged<OrganizationMember>> {
  return transaction(ctx, async ({ db }) => {
    const { body: before, revision } = await read(db, organization_id, user_id)
    requireMatch(ifMatch, revision)
    const { role } = patched(organizationMemberChanges, { role: before.role }, patch)
    await requireMay(db, actor, organization_id, before.role, role)
    if (role === before.role) return { body: before, revision }
    if (before.role === 'owner' && role !== 'owner') await requireOwnerLeft(db, organization_id, user_id)
    const after = { body: { ...before, role }, revision: revision + 1 }
    await db
      .updateTable('organization_members')
      .set({ role, revision: after.revision })
      .where('organization_id', '=', organization_id)
      .where('user_id', '=', user_id)
      .execute()
    await audit(ctx, db, { organizationId: organization_id, object: objectOf(before), before, after: after.body })
    return after
  })
}

/** Takes a user out of an organization and of all its workspaces, with their API tokens for it. The last owner stays. */
export async function removeOrganizationMember(
  ctx: Ctx,
  actor: Actor,
  { organization_id, user_id }: { organization_id: string; user_id: string },
  ifMatch: string | undefined,
): Promise<void> {
  await transaction(ctx, async ({ db }) => {
    const { body: before, revision } = await read(db, organization_id, user_id)
    requireMatch(ifMatch, revision)
    if (user_id !== actor.user_id) await requireMay(db, actor, organization_id, before.role)
    if (before.role === 'owner') await requireOwnerLeft(db, organization_id, user_id)
    await db
      .deleteFrom('workspace_members')
      .where('user_id', '=', user_id)
      .where('workspace_id', 'in', db.selectFrom('workspaces').select('id').where('organization_id', '=', organization_id))
      .execute()
    await db.deleteFrom('api_tokens').where('user_id', '=', user_id).where('organization_id', '=', organization_id).execute()
    await db.deleteFrom('organization_members').where('organization_id', '=', organization_id).where('user_id', '=', user_id).execute()
    await audit(ctx, db, { organizationId: organization_id, object: objectOf(before), before })
  })
}

/** Refuses to leave an organization without an owner. */
export async function requireOwnerLeft(db: Db, organizationId: string, leaving: string): Promise<void> {
  const other = await db
    .selectFrom('organization_members')
    .select('user_id')
    .where('organization_id', '=', organizationId)
    .where('role', '=', 'owner')
    .where('user_id', '!=', leaving)
    .limit(1)
    .executeTakeFirst()
  if (other) return
  const message = 'is the last owner of an organization; make somebody else an owner first'
  throw new ApiError('CONFLICT', 'an organization keeps at least one owner', [{ field: 'user_id', message, code: 'IN_USE' }])
}

/** Nobody gives a role above their own. */
export function requireGrantable(mine: OrganizationRole, role: OrganizationRole): void {
  if (!isOrganizationRole(mine, role)) throw new ApiError('FORBIDDEN', `only an ${role} may give or take the role ${role}`)
}

// Read again inside the transaction: roles may have changed since the request was let in.
async function requireMay(db: Db, actor: Actor, organizationId: string, ...roles: OrganizationRole[]): Promise<void> {
  const mine = await organizationRole(db, actor, organizationId)
  if (!mine || !isOrganizationRole(mine, 'admin')) throw new ApiError('FORBIDDEN', 'this needs the role admin in the organization')
  for (const role of roles) requireGrantable(mine, role)
}

async function read(db: Db, organizationId: string, userId: string): Promise<Tagged<OrganizationMember>> {
  const row = await db
    .selectFrom('organization_members as m')
    .innerJoin('users as u', 'u.id', 'm.user_id')
    .select(['m.user_id', 'u.email', 'u.name', 'm.role', 'm.created_at', 'm.revision'])
    .where('m.organization_id', '=', organizationId)
    .where('m.user_id', '=', userId)
    .executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'member not found')
  const { revision, ...body } = row
  return { body, revision }
}

function objectOf({ user_id, email }: OrganizationMember) {
  return { kind: 'organization_member', id: user_id, name: email }
}
