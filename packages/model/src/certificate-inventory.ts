import { z } from 'zod'
import { id, timestamp } from './text.ts'

/** A certificate of a workspace that ends some time: one that is managed here, or one that an agent has found on its host. */
export const inventoryEntry = z
  .strictObject({
    source: z.enum(['managed', 'found']),
    certificate_id: id.nullable().meta({ description: 'Of one that is managed.' }),
    agent_id: id.nullable().meta({ description: 'Of one that was found: whose host it is on.' }),
    path: z.string().nullable().meta({ description: 'Of one that was found: its file.' }),
    names: z.array(z.string()),
    server_names: z.array(z.string()).meta({ description: 'Of the servers of the host’s own nginx that name it.' }),
    subject: z.string().nullable(),
    issuer: z.string().nullable(),
    serial: z.string().nullable(),
    fingerprint: z.string().nullable(),
    key: z.string().nullable(),
    not_before: timestamp.nullable(),
    not_after: timestamp.nullable(),
    error: z.string().nullable().meta({ description: 'Why a file could not be read.' }),
  })
  .meta({ id: 'CertificateInventoryEntry' })

export type InventoryEntry = z.infer<typeof inventoryEntry>
