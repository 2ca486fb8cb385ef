import { createHash } from 'node:crypto'
import { z } from 'zod'

// What nginx itself or the C libraries under it know. Each request is hashed anew, so that one of very many rounds would stop a worker.
const hashes =
  /^(\$apr1\$[./0-9A-Za-z]{1,8}\$[./0-9A-Za-z]{22}|\$2[aby]\$(0[4-9]|1[0-2])\$[./0-9A-Za-z]{53}|\$[56]\$(rounds=[1-9]\d{3,4}\$)?[./0-9A-Za-z]{1,16}\$[./0-9A-Za-z]{43,86}|\{SSHA\}[+/0-9A-Za-z]{28,64}={0,2})$/

/** A password as people type it. */
export const clearPassword = z
  .string()
  .min(1, 'must not be empty')
  .max(200, 'must be at most 200 characters')
  .refine((text) => !/\p{Cc}/u.test(text), 'must not contain control characters')

const user = z
  .strictObject({
    name: z
      .string()
      .max(200, 'must be at most 200 characters')
      .regex(
        /^[^\p{Cc}:#\s]([^\p{Cc}:]*[^\p{Cc}:\s])?$/u,
        'must be a name without ":", which does not begin with "#" and neither begins nor ends with a space',
      ),
    password: clearPassword
      .optional()
      .meta({ writeOnly: true, description: 'Only its hash is kept. Where neither is given, the user keeps the password it has.' }),
    password_hash: z
      .string()
      .max(500, 'must be at most 500 characters')
      .regex(
        hashes,
        'must be a hash as htpasswd or mkpasswd makes it: $apr1$, $2y$ of at most 12 rounds, $5$, $6$ of at most 99999 rounds or {SSHA}',
      )
      .optional()
      .meta({ writeOnly: true, description: 'In place of `password`.' }),
  })
  .superRefine(({ password, password_hash }, ctx) => {
    if (password === undefined || password_hash === undefined) return
    ctx.addIssue({
      code: 'custom',
      path: ['password'],
      message: 'cannot be given together with password_hash',
      params: { code: 'CONFLICT' },
    })
  })
  .meta({ id: 'AuthBasicUser' })

/** Who must give a name and a password. */
export const authBasic = z
  .strictObject({
    enabled: z.boolean().default(true),
    realm: z
      .string()
      .min(1, 'must not be empty')
      .max(200, 'must be at most 200 characters')
      .regex(/^[\x20\x21\x23-\x5b\x5d-\x7e]*$/, 'must be printable ASCII without quotes and backslashes')
      .regex(/^(?!off$)/, 'must not be "off": give "enabled": false')
      .default('Restricted')
      .meta({ description: 'What browsers show where they ask.' }),
    users: z
      .array(user)
      .max(1000)
      .default([])
      .superRefine((users, ctx) => {
        const first = new Map<string, number>()
        for (const [at, { name }] of users.entries()) {
          const earlier = first.get(name)
          if (earlier === undefined) first.set(name, at)
          else
            ctx.addIssue({ code: 'custom', path: [at, 'name'], message: `is the name of users.${earlier}`, params: { code: 'DUPLICATE' } })
        }
      }),
  })
  .meta({
    id: 'AuthBasicOptions',
    description: 'A name and a password, asked for over HTTP (RFC 7617). It replaces that of the level above.',
  })

export type AuthBasicOptions = z.infer<typeof authBasic>

type Protected = { auth_basic?: AuthBasicOptions | undefined }

/** A virtual host without the hashes of its passwords. With `tagged` they give way to tags, by which one can tell that a password is another. */
export function withoutHashes<T extends Protected & { locations: Protected[] }>(host: T, tagged = false): T {
  if (!host.auth_basic && !host.locations.some((location) => location.auth_basic)) return host
  const shown = <P extends Protected>(place: P): P =>
    place.auth_basic ? { ...place, auth_basic: shownUsers(place.auth_basic, tagged) } : place
  return { ...shown(host), locations: host.locations.map(shown) }
}

function shownUsers(options: AuthBasicOptions, tagged: boolean): AuthBasicOptions {
  const users = options.users.map(({ name, password_hash }) => {
    if (!tagged || password_hash === undefined) return { name }
    return { name, password_hash: `hidden ${createHash('sha256').update(password_hash).digest('hex').slice(0, 8)}` }
  })
  return { ...options, users }
}
