import { ApiError } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import { type OrganizationInput, organizationInput } from '@nxmesh/model/organization'
import type { Actor } from './access.ts'
import { requireNoAgents } from './agents.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { transaction } from './db/transaction.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'

const taken = 'an organization with this slug exists already'

export async function listOrganizations(ctx: Ctx, actor: Actor, paging: Paging) {
  const mine = ctx.db
    .selectFrom('organizations')
    .where('id', 'in', ctx.db.selectFrom('organization_members').select('organization_id').where('user_id', '=', actor.user_id))
  const { limit, offset } = rangeOf(paging)
  const data = await mine.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await mine.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data, meta: { ...paging, total } }
}

export async function createOrganization(ctx: Ctx, actor: Actor, input: OrganizationInput) {
  const now = timestamp(ctx)
  const organization = { id: uuidv7(ctx.now()), ...input, created_at: now, updated_at: now }
  await refusingDuplicate('slug', taken, () =>
    transaction(ctx.db, async ({ db }) => {
      await db.insertInto('organizations').values(organization).execute()
      await db
        .insertInto('organization_members')
        .values({ organization_id: organization.id, user_id: actor.user_id, role: 'owner' })
        .execute()
    }),
  )
  return organization
}

export async function getOrganization(ctx: Pick<Ctx, 'db'>, id: string) {
  const organization = await ctx.db.selectFrom('organizations').selectAll().where('id', '=', id).executeTakeFirst()
  if (!organization) throw new ApiError('NOT_FOUND', 'organization not found')
  return organization
}

export async function updateOrganization(ctx: Ctx, id: string, patch: Patch<OrganizationInput>) {
  return refusingDuplicate('slug', taken, () =>
    transaction(ctx.db, async ({ db }) => {
      const before = await getOrganization({ db }, id)
      const input = patched(organizationInput, { name: before.name, slug: before.slug }, patch)
      const after = { ...before, ...input, updated_at: timestamp(ctx) }
      await db.updateTable('organizations').set(after).where('id', '=', id).execute()
      return after
    }),
  )
}

/** Deletes an organization and all in it. Agents that are registered stop it unless `force` is given. */
export async function deleteOrganization(ctx: Ctx, id: string, force: boolean): Promise<void> {
  await transaction(ctx.db, async (tx) => {
    const workspaces = await tx.db.selectFrom('workspaces').select('id').where('organization_id', '=', id).execute()
    await requireNoAgents(
      ctx,
      tx,
      workspaces.map((workspace) => workspace.id),
      force,
    )
    await tx.db.deleteFrom('organizations').where('id', '=', id).execute()
  })
}
