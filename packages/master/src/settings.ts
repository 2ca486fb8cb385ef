import { ApiError, invalid } from '@nxmesh/api/errors'
import type { SettingsPatch } from '@nxmesh/api/routes/workspaces'
import { type Settings, settings as settingsSchema } from '@nxmesh/model/settings'
import { checkSettings } from '@nxmesh/nginx/check'
import type { Actor } from './access.ts'
import { changeConfig } from './change.ts'
import type { Ctx } from './ctx.ts'
import { patched } from './patched.ts'

export async function getSettings(ctx: Ctx, workspaceId: string): Promise<Settings> {
  const row = await ctx.db.selectFrom('workspaces').select('settings').where('id', '=', workspaceId).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'workspace not found')
  return JSON.parse(row.settings) as Settings
}

export async function updateSettings(ctx: Ctx, actor: Actor, workspaceId: string, patch: SettingsPatch): Promise<Settings> {
  return changeConfig(ctx, actor, workspaceId, async ({ db }, config) => {
    const after = patched(settingsSchema, config.settings, patch)
    const problems = checkSettings(after)
    if (problems.length > 0) throw invalid(problems)
    await db
      .updateTable('workspaces')
      .set({ settings: JSON.stringify(after) })
      .where('id', '=', workspaceId)
      .execute()
    return { result: after, kind: 'settings', id: workspaceId, after, reason: 'changed the settings' }
  })
}
