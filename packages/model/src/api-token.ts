import { z } from 'zod'
import { tokenRole } from './roles.ts'
import { id, name, timestamp } from './text.ts'

const scope = {
  organization_id: id,
  workspace_id: id.nullable().meta({ description: 'The one workspace that it reaches; null for the whole organization.' }),
  role: tokenRole.meta({ description: 'The most that it may do, where its owner may do as much.' }),
}

export const apiTokenInput = z
  .strictObject({
    name,
    ...scope,
    workspace_id: scope.workspace_id.default(null),
    expires_in_days: z.int().min(1).max(366).default(90),
  })
  .meta({ id: 'ApiTokenInput' })

export type ApiTokenInput = z.infer<typeof apiTokenInput>

export const apiToken = z
  .strictObject({
    id,
    name,
    ...scope,
    prefix: z.string().meta({ description: 'How it begins, to know it again.' }),
    created_at: timestamp,
    expires_at: timestamp,
    last_used_at: timestamp.nullable().meta({ description: 'Written once an hour at most.' }),
  })
  .meta({ id: 'ApiToken' })

export type ApiToken = z.infer<typeof apiToken>

export const createdApiToken = apiToken
  .extend({ token: z.string().meta({ description: 'Shown only here.' }) })
  .meta({ id: 'CreatedApiToken' })
