import { z } from 'zod'
import { customDirectives, extraDirectives } from './location.ts'
import { settingsOptions } from './options.ts'
import { tlsPolicy } from './tls.ts'

/** Settings that every agent of a workspace gets: directives of nginx's main, events and http contexts by name, and the environment of its workers. */
export const settings = z
  .strictObject({
    nginx_directives: customDirectives.default({}),
    extra_directives: extraDirectives.optional(),
    env_vars: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable'),
        z
          .string()
          .max(2000, 'must be at most 2000 characters')

          .refine((text) => !/[\u0000-\u001f\u007f]/.test(text), 'must not contain control characters'),
      )
      .default({}),
    tls_policy: tlsPolicy.optional().meta({ description: 'Of virtual hosts that say none; `intermediate` where it is absent.' }),
    http_port: z.int().min(1, 'must be from 1 to 65535').max(65_535, 'must be from 1 to 65535').optional().meta({
      description:
        'The port on which plain HTTP from outside reaches nginx: there ACME challenges are answered and redirects to HTTPS given. 80 where it is absent.',
    }),
    stream_directives: extraDirectives.optional().meta({
      description: 'Directives of the stream block of nginx, such as a `map` or an `upstream` that stream hosts name in theirs.',
    }),
    mail_directives: extraDirectives.optional().meta({
      description:
        'Directives of the mail block of nginx, its servers among them. Each agent that owns its nginx and has the mail module gets them.',
    }),
    ...settingsOptions,
  })
  .meta({ id: 'Settings' })

export type Settings = z.infer<typeof settings>

export const defaultSettings: Settings = { nginx_directives: {}, env_vars: {} }
