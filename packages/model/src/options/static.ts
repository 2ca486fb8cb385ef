import { z } from 'zod'
import { seconds } from './units.ts'

const year = 31_536_000

/** How files are served from the root of a location. */
export const staticFiles = z
  .strictObject({
    fallback: z
      .string()
      .max(1000, 'must be at most 1000 characters')
      .regex(/^\/[^\s\p{Cc}$;{}"'\\?#]*$/u, 'must be a path below the root, such as /index.html')
      .optional()
      .meta({
        description: 'The file that answers for every path that has none, as single page applications want it; 404 where it is absent.',
      }),
    assets_max_age: seconds(0, year).optional().meta({ description: 'How long clients may keep assets without asking again, in seconds.' }),
    assets: z
      .array(z.string().regex(/^[A-Za-z0-9]{1,20}$/, 'must be the extension of a file name, such as css'))
      .max(100)
      .default([])
      .meta({
        description: 'The extensions of their file names; those of styles, scripts, fonts, pictures, sounds and films where it is empty.',
      }),
  })
  .meta({ id: 'StaticOptions', description: 'Folders are never listed.' })

export type StaticOptions = z.infer<typeof staticFiles>
