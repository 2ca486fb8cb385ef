import { z } from 'zod'

const statuses = [301, 302, 303, 307, 308] as const
const status = z.literal(statuses, `must be one of ${statuses.join(', ')}`).default(301)

/** Plain text for a Location header: no spaces, controls or what nginx would take for its own. */
const word = /^[^\s\p{Cc};{}"'\\]+$/u

const target = z
  .string()
  .max(2000, 'must be at most 2000 characters')
  .regex(word, 'must not hold spaces, quotes, braces, semicolons or backslashes')
  .regex(/^(https?:\/\/|\/)/, 'must begin with "/", http:// or https://')

const rule = z
  .strictObject({
    from: z
      .string()
      .max(2000, 'must be at most 2000 characters')
      .regex(/^(\/|~\*? *\S)/, 'must be a path that begins with "/", or a regular expression after ~ or ~*')
      .refine((text) => !/\p{Cc}/u.test(text), 'must not contain control characters')
      .meta({ description: 'A whole path, or a regular expression after `~`, or `~*` where case does not matter.' }),
    to: target.meta({
      description:
        'A path or an address; `$1` to `$9` are the groups of a regular expression. The query of the request goes along unless `to` has one or a fragment.',
    }),
    status,
  })
  .superRefine(({ from, to, status: code }, ctx) => {
    const add = (field: string, message: string) =>
      ctx.addIssue({ code: 'custom', path: [field], message, params: { code: 'INVALID_VALUE' } })
    const isPath = from.startsWith('/')
    if (!isPath && code !== 301 && code !== 302) add('status', 'must be 301 or 302 where from is a regular expression')
    if (isPath && from === to) add('to', 'leads back to where it comes from')
    if (isPath ? to.includes('$') : /\$(?![1-9])/.test(to))
      add('to', 'must hold no "$" but those of $1 to $9, the groups of a regular expression')
  })
  .meta({ id: 'RedirectRule' })

/** Where clients are sent on to. */
export const redirect = z
  .strictObject({
    canonical_name: z.string().max(253, 'must be at most 253 characters').optional().meta({
      description: 'The one of the names in `server_name` that clients of all others are sent to, as from www.example.com to example.com.',
    }),
    to: z
      .string()
      .max(2000, 'must be at most 2000 characters')
      .regex(
        /^https?:\/\/[^\s\p{Cc};{}"'\\$/?#]+(\/[^\s\p{Cc};{}"'\\$?#]*)?$/u,
        'must be an http:// or https:// address without query and variables',
      )
      .optional()
      .meta({ description: 'Where everything goes that no location of the host answers.' }),
    keep_path: z.boolean().default(true).meta({ description: 'Whether the path and query of the request are put behind `to`.' }),
    status: status.meta({ description: 'For `canonical_name` and `to`.' }),
    rules: z.array(rule).max(10_000).default([]),
  })
  .meta({ id: 'RedirectOptions' })
