import { z } from 'zod'

const dry_run = z.boolean().default(false).meta({ description: 'Only counts and logs, and refuses nothing.' })
const replaces = 'It replaces that of the level above. What is refused is answered with 429.'

/** How many requests one address may make. */
export const limitReq = z
  .strictObject({
    rate: z.string().regex(/^[1-9]\d{0,5}r\/[sm]$/, 'must be a number of requests a second or minute, such as 10r/s or 30r/m'),
    burst: z
      .int()
      .min(0, 'must be from 0 to 1000000')
      .max(1_000_000, 'must be from 0 to 1000000')
      .default(0)
      .meta({ description: 'How many requests may come too early without being refused.' }),
    nodelay: z.boolean().default(false).meta({ description: 'Whether those are answered at once instead of when their time has come.' }),
    dry_run,
  })
  .meta({ id: 'LimitReqOptions', description: `The rate of requests of one address. ${replaces}` })

/** How many requests of one address may be under way at once. */
export const limitConn = z
  .strictObject({ connections: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535'), dry_run })
  .meta({ id: 'LimitConnOptions', description: `The requests of one address that are under way at once. ${replaces}` })

export type LimitReqOptions = z.infer<typeof limitReq>
export type LimitConnOptions = z.infer<typeof limitConn>
