import { z } from 'zod'
import { network } from './network.ts'

/** Where the address of a client is taken from, behind proxies that are trusted to tell it. */
export const realIp = z
  .strictObject({
    trusted: z.array(network).min(1, 'must hold at least one proxy').max(1000),
    header: z
      .string()
      .max(100, 'must be at most 100 characters')
      .regex(/^[A-Za-z][A-Za-z0-9-]*$/, 'must be the name of a header')
      .default('X-Forwarded-For'),
    recursive: z.boolean().default(true).meta({
      description: 'Whether trusted addresses at the end of the header are passed over too, up to the first that is not trusted.',
    }),
  })
  .meta({ id: 'RealIpOptions', description: 'The trusted proxies before nginx, and the header in which they name the client.' })

export type RealIpOptions = z.infer<typeof realIp>
