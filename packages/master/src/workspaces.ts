import { ApiError } from '@nxmesh/api/errors'
import type { Patch } from '@nxmesh/api/merge-patch'
import type { Paging } from '@nxmesh/api/route'
import { defaultSettings } from '@nxmesh/model/settings'
import { type Workspace, type WorkspaceInput, workspaceInput } from '@nxmesh/model/workspace'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, visibleWorkspaces } from './access.ts'
import { requireNoAgents } from './agents.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'

const taken = 'a workspace with this slug exists already in the organization'

export async function listWorkspaces(ctx: Ctx, actor: Actor, organizationId: string, paging: Paging) {
  const visible = await visibleWorkspaces(ctx.db, actor, organizationId)
  const { limit, offset } = rangeOf(paging)
  const rows = await visible.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await visible.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

export async function createWorkspace(ctx: Ctx, organizationId: string, input: WorkspaceInput) {
  const row = newWorkspace(ctx, organizationId, input)
  await refusingDuplicate('slug', taken, () => ctx.db.insertInto('workspaces').values(row).execute())
  return shown(row)
}

export function newWorkspace(ctx: Pick<Ctx, 'now'>, organizationId: string, input: WorkspaceInput) {
  const now = timestamp(ctx)
  const settings = JSON.stringify(defaultSettings)
  return { id: uuidv7(ctx.now()), organization_id: organizationId, ...input, version: 0, settings, created_at: now, updated_at: now }
}

export async function getWorkspace(ctx: Pick<Ctx, 'db'>, id: string) {
  return shown(await readRow(ctx.db, id))
}

export async function updateWorkspace(ctx: Ctx, id: string, patch: Patch<WorkspaceInput>) {
  return refusingDuplicate('slug', taken, () =>
    transaction(ctx.db, async ({ db }) => {
      const before = await readRow(db, id)
      const input = patched(workspaceInput, { name: before.name, slug: before.slug }, patch)
      const after = { ...before, ...input, updated_at: timestamp(ctx) }
      await db
        .updateTable('workspaces')
        .set({ ...input, updated_at: after.updated_at })
        .where('id', '=', id)
        .execute()
      return shown(after)
    }),
  )
}

/** Deletes a workspace and all in it. Agents that are registered stop it unless `force` is given. */
export async function deleteWorkspace(ctx: Ctx, id: string, force: boolean): Promise<void> {
  await transaction(ctx.db, async (tx) => {
    await requireNoAgents(ctx, tx, [id], force)
    await tx.db.deleteFrom('workspaces').where('id', '=', id).execute()
  })
}

async function readRow(db: Kysely<Database>, id: string) {
  const row = await db.selectFrom('workspaces').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'workspace not found')
  return row
}

function shown({ settings: _settings, version, ...row }: Selectable<Database['workspaces']>): Workspace {
  return { ...row, config_version: version }
}
