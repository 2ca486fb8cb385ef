import { z } from 'zod'
import { splitPath } from './location-path.ts'
import { locationOptions } from './options.ts'
import { id } from './text.ts'

const control = /[\u0000-\u001f\u007f]/

/** Free text that ends up as one argument of an nginx directive: no control characters, at most 4,000 bytes (nginx refuses tokens of 4,096). */
export const argument = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= 4000, 'must be at most 4000 bytes')
  .refine((text) => !control.test(text), 'must not contain control characters')

/** Directives by name, each with its arguments as nginx would read them. Their syntax is checked by the nginx package. */
export const customDirectives = z
  .record(
    z.string().regex(/^[a-z][a-z0-9_]*$/, 'must be the name of an nginx directive'),
    z.string().max(4000, 'must be at most 4000 characters'),
  )
  .meta({ id: 'CustomDirectives', description: 'Directives of nginx by name, each with its arguments as nginx would read them.' })

/** Directives of nginx in order, names repeated where they must be: `allow`, `set`, `if`, whole blocks. Each is one statement as nginx would read it. */
export const extraDirectives = z
  .array(z.string().min(1, 'must not be empty').max(100_000, 'must be at most 100000 characters'))
  .min(1, 'must hold at least one directive')
  .max(2000)
  .meta({
    id: 'ExtraDirectives',
    description:
      'More directives of nginx, each as nginx would read it, written in this order after the custom directives; names may repeat.',
  })

const escapedLineBreak = /\\[rn]/

/** A header to set. `direction` says who gets it: the upstream (`request`) or the client (`response`); absent, the name decides. */
export const header = z
  .strictObject({
    name: z
      .string()
      .max(256, 'must be at most 256 characters')
      .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/, 'must be a header name (RFC 9110 token)'),
    value: argument.refine((text) => !escapedLineBreak.test(text), 'must not contain the escapes \\r or \\n'),
    always: z.boolean().default(false),
    direction: z.enum(['request', 'response']).optional(),
  })
  .meta({
    id: 'Header',
    description:
      'A header to set. `direction` says who gets it: the upstream (`request`) or the client (`response`); absent, the name decides.',
  })

export const rewriteFlags = ['last', 'break', 'redirect', 'permanent'] as const

export const rewriteRule = z
  .strictObject({
    pattern: argument.min(1, 'must not be empty'),
    replacement: argument
      .min(1, 'must not be empty')
      .refine((text) => !escapedLineBreak.test(text), 'must not contain the escapes \\r or \\n'),
    flag: z.enum(rewriteFlags, `must be one of ${rewriteFlags.join(', ')}`).optional(),
  })
  .meta({ id: 'RewriteRule' })

export const proxyPass = argument
  .regex(/^https?:\/\/(unix:\/[^\s;{}"'\\]+|[^\s;{}"'\\/?#]+)([/?][^\s;{}"'\\]*)?$/, 'must be an http:// or https:// address')
  .refine((text) => validAuthority(text), 'must name a host and, if any, a port from 1 to 65535')

export const location = z
  .strictObject({
    path: argument.min(1, 'must not be empty').superRefine((path, ctx) => {
      const message = pathProblem(path)
      if (message !== undefined) ctx.addIssue({ code: 'custom', message })
    }),
    proxy_pass: proxyPass.optional(),
    upstream_id: id.optional(),
    root: argument.regex(/^\/[^$]*$/, 'must be an absolute path without variables').optional(),
    index: argument.regex(/^[^\s$]+( [^\s$]+)*$/, 'must be file names separated by single spaces').optional(),
    ...locationOptions,
    custom_headers: z.array(header).max(100).default([]),
    rewrite_rules: z.array(rewriteRule).max(100).default([]),
    custom_directives: customDirectives.default({}),
    extra_directives: extraDirectives.optional(),
  })
  .meta({ id: 'Location' })

export type Header = z.infer<typeof header>
export type RewriteRule = z.infer<typeof rewriteRule>
export type Location = z.infer<typeof location>

function pathProblem(path: string): string | undefined {
  const { modifier, pattern } = splitPath(path)
  switch (modifier) {
    case '~':
    case '~*':
      return pattern === '' ? 'must have a regular expression after the modifier' : undefined
    case '@':
      return /^[A-Za-z0-9_-]+$/.test(pattern) ? undefined : 'must have a name of letters, digits, "_" or "-" after "@"'
    default:
      return pattern.startsWith('/') ? undefined : 'must begin with "/", or with one of the modifiers =, ^~, ~, ~*, @'
  }
}

function validAuthority(address: string): boolean {
  const authority = /^https?:\/\/([^/?]+)/.exec(address)?.[1] ?? ''
  if (authority.startsWith('unix:')) return true
  const parts = /^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.$-]+)(?::(\d{1,5}|\$[a-z0-9_]+))?(\$[a-z0-9_]+)*$/.exec(authority)
  if (!parts) return false
  const port = parts[2]
  return port === undefined || port.startsWith('$') || (Number(port) >= 1 && Number(port) <= 65_535)
}
