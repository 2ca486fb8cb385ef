import { z } from 'zod'
import { customDirectives } from './location.ts'

/** Settings that every agent of a workspace gets: directives of nginx's main, events and http contexts by name, and the environment of its workers. */
export const settings = z
  .strictObject({
    nginx_directives: customDirectives.default({}),
    env_vars: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable'),
        z
          .string()
          .max(2000, 'must be at most 2000 characters')

          .refine((text) => !/[\u0000-\u001f\u007f]/.test(text), 'must not contain control characters'),
      )
      .default({}),
  })
  .meta({ id: 'Settings' })

export type Settings = z.infer<typeof settings>

export const defaultSettings: Settings = { nginx_directives: {}, env_vars: {} }
