import { ApiError } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { WorkspacePatch } from '@nxmesh/api/routes/workspaces'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { isEqual } from '@nxmesh/model/field-changes'
import { defaultSettings } from '@nxmesh/model/settings'
import { type Workspace, type WorkspaceInput, workspaceInput } from '@nxmesh/model/workspace'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, visibleWorkspaces } from './access.ts'
import { requireNoAgents } from './agents.ts'
import { insertDefaultRules } from './alerts/default-rules.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { requireNoLua } from './lua-allowed.ts'
import { rangeOf } from './page.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'
import { loadWorkspaceConfig } from './workspace-config.ts'

const taken = 'a workspace with this slug exists already in the organization'

export async function listWorkspaces(ctx: Ctx, actor: Actor, organizationId: string, paging: Paging) {
  const visible = await visibleWorkspaces(ctx.db, actor, organizationId)
  const { limit, offset } = rangeOf(paging)
  const rows = await visible.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await visible.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

export async function createWorkspace(ctx: Ctx, organizationId: string, input: WorkspaceInput): Promise<Tagged<Workspace>> {
  const row = newWorkspace(ctx, organizationId, input)
  await refusingDuplicate('slug', taken, () =>
    transaction(ctx, async ({ db }) => {
      await db.insertInto('workspaces').values(row).execute()
      await insertDefaultRules(ctx, db, row.id)
      await audit(ctx, db, { organizationId, workspaceId: row.id, object: objectOf(row), after: shown(row) })
    }),
  )
  return tagged(row)
}

export function newWorkspace(ctx: Pick<Ctx, 'now'>, organizationId: string, { name, slug, lua_allowed }: WorkspaceInput): Row {
  const now = timestamp(ctx)
  const settings = JSON.stringify(defaultSettings)
  const common = { version: 0, settings, revision: 1, settings_revision: 1, created_at: now, updated_at: now }
  return { id: uuidv7(ctx.now()), organization_id: organizationId, name, slug, lua_allowed: Number(lua_allowed), ...common }
}

export async function getWorkspace(ctx: Pick<Ctx, 'db'>, id: string): Promise<Tagged<Workspace>> {
  return tagged(await readRow(ctx.db, id))
}

export async function updateWorkspace(
  ctx: Ctx,
  id: string,
  patch: WorkspacePatch,
  ifMatch: string | undefined,
): Promise<Tagged<Workspace>> {
  return refusingDuplicate('slug', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const before = await readRow(db, id)
        requireMatch(ifMatch, before.revision)
        const own = { name: before.name, slug: before.slug, lua_allowed: before.lua_allowed === 1 }
        const input = patched(workspaceInput, own, patch)
        if (isEqual(input, own)) return tagged(before)
        if (own.lua_allowed && !input.lua_allowed) requireNoLua(await readConfig(db, id))
        const columns = { ...input, lua_allowed: Number(input.lua_allowed), updated_at: timestamp(ctx), revision: before.revision + 1 }
        const after = { ...before, ...columns }
        await db.updateTable('workspaces').set(columns).where('id', '=', id).execute()
        await audit(ctx, db, { workspaceId: id, object: objectOf(after), before: shown(before), after: shown(after) })
        return tagged(after)
      },
      id,
    ),
  )
}

/** Deletes a workspace and all in it. Agents that are registered stop it unless `force` is given. */
export async function deleteWorkspace(ctx: Ctx, id: string, force: boolean, ifMatch: string | undefined): Promise<void> {
  await transaction(ctx, async (tx) => {
    const before = await readRow(tx.db, id)
    requireMatch(ifMatch, before.revision)
    await requireNoAgents(ctx, tx, [id], force)
    await audit(ctx, tx.db, { workspaceId: id, object: objectOf(before), before: shown(before) })
    await tx.db.deleteFrom('workspaces').where('id', '=', id).execute()
  })
}

type Row = Selectable<Database['workspaces']>

async function readConfig(db: Kysely<Database>, id: string): Promise<WorkspaceConfig> {
  const config = await loadWorkspaceConfig(db, id)
  if (!config) throw new ApiError('NOT_FOUND', 'workspace not found')
  return config
}

async function readRow(db: Kysely<Database>, id: string): Promise<Row> {
  const row = await db.selectFrom('workspaces').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'workspace not found')
  return row
}

function shown({ settings: _settings, settings_revision: _revision, revision: _own, version, lua_allowed, ...row }: Row): Workspace {
  return { ...row, lua_allowed: lua_allowed === 1, config_version: version }
}

// The config changes without the workspace itself.
function tagged(row: Row): Tagged<Workspace> {
  return { body: shown(row), revision: row.revision, variant: `v${row.version}` }
}

function objectOf({ id, name }: { id: string; name: string }) {
  return { kind: 'workspace', id, name }
}
