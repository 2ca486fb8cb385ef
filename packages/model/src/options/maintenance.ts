import { z } from 'zod'
import { network } from './network.ts'
import { seconds } from './units.ts'

/** Tells everybody but a few to come back later. */
export const maintenance = z
  .strictObject({
    enabled: z.boolean().default(true),
    retry_after: seconds(1, 30 * 86_400)
      .default(600)
      .meta({ description: 'What the header Retry-After says, in seconds.' }),
    allow: z.array(network).max(1000).default([]).meta({ description: 'Who is served as ever.' }),
  })
  .meta({ id: 'MaintenanceOptions', description: 'Every request is answered with 503.' })

export type MaintenanceOptions = z.infer<typeof maintenance>
