import { ApiError } from '@nxmesh/api/errors'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { Allowed } from '@nxmesh/nginx/directive-rules'
import { type ModuleUse, modulesOfHost, modulesOfSettings } from '@nxmesh/nginx/module-use'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'

/** What the configuration of a workspace may hold beyond what every workspace may. */
export async function allowedIn(db: Kysely<Database>, workspaceId: string): Promise<Allowed> {
  const row = await db.selectFrom('workspaces').select('lua_allowed').where('id', '=', workspaceId).executeTakeFirst()
  return { lua: row?.lua_allowed === 1 }
}

/** Throws CONFLICT with one detail for each statement of Lua that a workspace has. */
export function requireNoLua({ virtual_hosts, settings }: Pick<WorkspaceConfig, 'virtual_hosts' | 'settings'>): void {
  const detail = (what: string) => ({ field: 'lua_allowed', message: `is used by ${what}`, code: 'IN_USE' as const })
  const details = [
    ...virtual_hosts.flatMap((host) =>
      modulesOfHost(host)
        .filter(isLua)
        .map(({ field }) => detail(`virtual host "${host.name}" (${host.id}) in ${field}`)),
    ),
    ...modulesOfSettings(settings)
      .filter(isLua)
      .map(({ field }) => detail(`the settings in ${field}`)),
  ]
  if (details.length > 0) throw new ApiError('CONFLICT', 'the configuration of the workspace holds Lua', details)
}

const isLua = ({ module }: ModuleUse) => module === 'lua'
