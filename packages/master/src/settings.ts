import { ApiError, invalid } from '@nxmesh/api/errors'
import type { SettingsPatch } from '@nxmesh/api/routes/workspaces'
import { isEqual } from '@nxmesh/model/field-changes'
import { type Settings, settings as settingsSchema } from '@nxmesh/model/settings'
import { checkSettings } from '@nxmesh/nginx/check'
import type { Kysely } from 'kysely'
import type { Actor } from './access.ts'
import { changeConfig, unchanged } from './change.ts'
import type { Ctx } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { requireNamesKept } from './in-use.ts'
import { allowedIn } from './lua-allowed.ts'
import { settingsPortConflicts } from './mail-conflicts.ts'
import { patched } from './patched.ts'

export async function getSettings(ctx: Pick<Ctx, 'db'>, workspaceId: string): Promise<Tagged<Settings>> {
  const row = await ctx.db
    .selectFrom('workspaces')
    .select(['settings', 'settings_revision'])
    .where('id', '=', workspaceId)
    .executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'workspace not found')
  return { body: JSON.parse(row.settings) as Settings, revision: row.settings_revision }
}

export async function updateSettings(
  ctx: Ctx,
  actor: Actor,
  workspaceId: string,
  patch: SettingsPatch,
  ifMatch: string | undefined,
): Promise<Tagged<Settings>> {
  return changeConfig(ctx, actor, workspaceId, async ({ db }, config) => {
    const { body: before, revision } = await getSettings({ db }, workspaceId)
    requireMatch(ifMatch, revision)
    const after = patched(settingsSchema, before, patch)
    if (isEqual(before, after)) return unchanged({ body: before, revision })
    const problems = checkSettings(after, await allowedIn(db, workspaceId))
    if (problems.length > 0) throw invalid(problems)
    const taken = isEqual(before.mail_directives, after.mail_directives) ? [] : settingsPortConflicts({ ...config, settings: after })
    if (taken.length > 0) throw new ApiError('CONFLICT', 'a host has the port of a mail server', taken)
    requireNamesKept(config, { ...config, settings: after }, 'nginx_directives')
    const result = await writeSettings(db, workspaceId, after, revision)
    const change = { kind: 'settings', id: workspaceId, name: 'settings', action: 'changed', before, after } as const
    return { result, changes: [change], summary: 'changed the settings' }
  })
}

/** Replaces the settings of a workspace that were at `revision`. */
export async function writeSettings(
  db: Kysely<Database>,
  workspaceId: string,
  after: Settings,
  revision: number,
): Promise<Tagged<Settings>> {
  await db
    .updateTable('workspaces')
    .set({ settings: JSON.stringify(after), settings_revision: revision + 1 })
    .where('id', '=', workspaceId)
    .execute()
  return { body: after, revision: revision + 1 }
}
