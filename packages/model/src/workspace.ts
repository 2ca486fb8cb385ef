import { z } from 'zod'
import { id, name, slug, timestamp } from './text.ts'

export const workspaceInput = z
  .strictObject({
    name,
    slug,
    lua_allowed: z.boolean().default(false).meta({
      description:
        'Whether directives of its configuration may hold Lua, which runs on the hosts of its agents and, in `init_by_lua_block`, with the rights of the master process of nginx.',
    }),
  })
  .meta({ id: 'WorkspaceInput' })

export type WorkspaceInput = z.infer<typeof workspaceInput>

/** A workspace; `config_version` is raised by one with each change to what its agents must serve. */
export const workspace = workspaceInput
  .extend({
    id,
    organization_id: id,
    config_version: z.int(),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Workspace' })

export type Workspace = z.infer<typeof workspace>
