import { z } from 'zod'
import { timestamp } from './text.ts'

export const actorKinds = ['user', 'agent', 'system', 'unknown'] as const

/** One thing that somebody did or tried: who, from where, to what, and how it was before and after. Secrets are left out. */
export const auditEntry = z
  .strictObject({
    id: z.string(),
    at: timestamp,
    organization_id: z.string().nullable(),
    workspace_id: z.string().nullable(),
    actor: z.strictObject({
      kind: z.enum(actorKinds),
      id: z.string().nullable(),
      name: z.string().meta({ description: 'E-mail address of a user, name of an agent.' }),
      token: z.strictObject({ id: z.string(), name: z.string() }).nullable().meta({ description: 'The API token that the user acted by.' }),
    }),
    address: z.string().meta({ description: 'Network address that the request came from.' }),
    request_id: z.string(),
    action: z.string().meta({ description: 'The operation id, as in `virtual-host.update`.' }),
    object: z.strictObject({ kind: z.string(), id: z.string().nullable(), name: z.string() }),
    reason: z.string().nullable(),
    before: z.unknown(),
    after: z.unknown(),
  })
  .meta({ id: 'AuditEntry' })

export type AuditEntry = z.infer<typeof auditEntry>
