import { ApiError } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import { type Organization, type OrganizationInput, organizationInput } from '@nxmesh/model/organization'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, visibleOrganizations } from './access.ts'
import { requireNoAgents } from './agents.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'

const taken = 'an organization with this slug exists already'

export async function listOrganizations(ctx: Ctx, actor: Actor, paging: Paging) {
  const mine = visibleOrganizations(ctx.db, actor)
  const { limit, offset } = rangeOf(paging)
  const rows = await mine.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await mine.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row) => shown(row).body), meta: { ...paging, total } }
}

export async function createOrganization(ctx: Ctx, actor: Actor, input: OrganizationInput): Promise<Tagged<Organization>> {
  const now = timestamp(ctx)
  const organization = { id: uuidv7(ctx.now()), ...input, created_at: now, updated_at: now }
  await refusingDuplicate('slug', taken, () =>
    transaction(ctx, async ({ db }) => {
      await db.insertInto('organizations').values(organization).execute()
      await db
        .insertInto('organization_members')
        .values({ organization_id: organization.id, user_id: actor.user_id, role: 'owner', created_at: now })
        .execute()
      await audit(ctx, db, { organizationId: organization.id, object: objectOf(organization), after: organization })
    }),
  )
  return { body: organization, revision: 1 }
}

export async function getOrganization(ctx: Pick<Ctx, 'db'>, id: string): Promise<Tagged<Organization>> {
  return shown(await readRow(ctx.db, id))
}

export async function updateOrganization(
  ctx: Ctx,
  id: string,
  patch: Patch<OrganizationInput>,
  ifMatch: string | undefined,
): Promise<Tagged<Organization>> {
  return refusingDuplicate('slug', taken, () =>
    transaction(ctx, async ({ db }) => {
      const before = await readRow(db, id)
      requireMatch(ifMatch, before.revision)
      const input = patched(organizationInput, { name: before.name, slug: before.slug }, patch)
      if (input.name === before.name && input.slug === before.slug) return shown(before)
      const after = { ...before, ...input, updated_at: timestamp(ctx), revision: before.revision + 1 }
      await db.updateTable('organizations').set(after).where('id', '=', id).execute()
      await audit(ctx, db, { organizationId: id, object: objectOf(after), before: shown(before).body, after: shown(after).body })
      return shown(after)
    }),
  )
}

/** Deletes an organization and all in it. Agents that are registered stop it unless `force` is given. */
export async function deleteOrganization(ctx: Ctx, id: string, force: boolean, ifMatch: string | undefined): Promise<void> {
  await transaction(ctx, async (tx) => {
    const before = await readRow(tx.db, id)
    requireMatch(ifMatch, before.revision)
    const workspaces = await tx.db.selectFrom('workspaces').select('id').where('organization_id', '=', id).execute()
    await requireNoAgents(
      ctx,
      tx,
      workspaces.map((workspace) => workspace.id),
      force,
    )
    await audit(ctx, tx.db, { organizationId: id, object: objectOf(before), before: shown(before).body })
    await tx.db.deleteFrom('organizations').where('id', '=', id).execute()
  })
}

async function readRow(db: Kysely<Database>, id: string) {
  const row = await db.selectFrom('organizations').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'organization not found')
  return row
}

function shown({ revision, ...body }: Selectable<Database['organizations']>): Tagged<Organization> {
  return { body, revision }
}

function objectOf({ id, name }: { id: string; name: string }) {
  return { kind: 'organization', id, name }
}
