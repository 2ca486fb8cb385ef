import { z } from 'zod'
import { seconds, size } from './units.ts'
import { usualCache } from './usual-cache.ts'

const year = 31_536_000
const staleWhen = [
  'error',
  'timeout',
  'invalid_header',
  'updating',
  'http_500',
  'http_502',
  'http_503',
  'http_504',
  'http_403',
  'http_404',
  'http_429',
] as const

// Of other variables nobody can say whether every nginx knows them, and one that is not known stops it.
const variable =
  /\$(scheme|host|request_uri|uri|args|is_args|query_string|request_method|server_name|remote_addr|remote_user|https|(http|cookie|arg)_[a-z0-9_]+)/g

const key = z
  .string()
  .min(1, 'must not be empty')
  .max(1000, 'must be at most 1000 characters')
  .refine((text) => !/\p{Cc}/u.test(text), 'must not contain control characters')
  .refine(
    (text) => !text.replaceAll(variable, '').includes('$'),
    'must hold no variables but those of the request, such as $host, $uri, $args, $http_…, $cookie_… and $arg_…',
  )

const valid = z
  .strictObject({
    status: z
      .int()
      .min(100, 'must be from 100 to 599')
      .max(599, 'must be from 100 to 599')
      .optional()
      .meta({ description: 'Any where it is absent.' }),
    seconds: seconds(0, year),
  })
  .meta({ id: 'CacheValid' })

/** Which answers of upstreams are kept, and for how long. */
export const proxyCache = z
  .strictObject({
    enabled: z.boolean().default(true),
    valid: z.array(valid).max(100).default([]).meta({
      description: 'How long answers are kept whose own headers do not say so. Where it is empty, only those that say so are kept.',
    }),
    key: key.optional().meta({
      description: 'What tells answers apart; `$scheme://$host$request_uri` where it is absent. Virtual hosts never share answers.',
    }),
    bypass: z
      .array(
        z
          .string()
          .max(200)
          .regex(/^\$(http|cookie|arg)_[a-z0-9_]+$/, 'must be a variable such as $cookie_session, $arg_nocache or $http_pragma'),
      )
      .max(50)
      .default([])
      .meta({
        description:
          'Requests for which one of these is set get a fresh answer, which is not kept. Those with an Authorization header always do.',
      }),
    use_stale: z
      .array(z.enum(staleWhen, `must be one of ${staleWhen.join(', ')}`))
      .max(20)
      .default(['error', 'timeout', 'updating', 'http_500', 'http_502', 'http_503', 'http_504'])
      .meta({ description: 'When an answer that is out of date is better than none.' }),
    lock: z.boolean().default(true).meta({ description: 'Whether of many requests for one answer only one asks the upstream.' }),
    status_header: z.boolean().default(false).meta({ description: 'Whether answers say in X-Cache-Status where they come from.' }),
  })
  .meta({ id: 'ProxyCacheOptions', description: 'The proxy_cache directives of nginx.' })

/** Where answers are kept: one cache for all virtual hosts of an nginx. */
export const proxyCachePath = z
  .strictObject({
    max_size: size.default(usualCache.max_size).meta({ description: 'On the disk of each agent; what was used least goes first.' }),
    inactive: seconds(1, year)
      .default(usualCache.inactive)
      .meta({ description: 'What nobody asked for in so many seconds goes, however fresh.' }),
  })
  .meta({ id: 'ProxyCachePathOptions', description: 'The cache that all virtual hosts of an nginx share.' })

export type ProxyCacheOptions = z.infer<typeof proxyCache>
export type ProxyCachePathOptions = z.infer<typeof proxyCachePath>
