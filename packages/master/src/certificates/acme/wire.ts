import { z } from 'zod'

const url = z.url({ protocol: /^https?$/ }).max(2000)
const text = z.string().max(10_000)
const identifier = z.object({ type: text, value: text })

/** What ACME servers send. Source: RFC 8555 section 7.1; renewal information RFC 9773 section 4. */
export const wire = {
  directory: z.object({
    newNonce: url,
    newAccount: url,
    newOrder: url,
    revokeCert: url,
    keyChange: url,
    renewalInfo: url.optional(),
    meta: z
      .object({
        termsOfService: text.optional(),
        caaIdentities: z.array(text).max(100).default([]),
        externalAccountRequired: z.boolean().default(false),
        profiles: z.record(z.string(), z.string()).default({}),
      })
      .prefault({}),
  }),
  order: z.object({
    status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
    expires: text.optional(),
    authorizations: z.array(url).max(500),
    finalize: url,
    certificate: url.optional(),
    error: z.unknown().optional(),
  }),
  authorization: z.object({
    identifier,
    status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
    wildcard: z.boolean().default(false),
    challenges: z.array(z.object({ type: text, url, status: text, token: text.optional(), error: z.unknown().optional() })).max(50),
  }),
  renewalInfo: z.object({
    suggestedWindow: z.object({ start: z.iso.datetime({ offset: true }), end: z.iso.datetime({ offset: true }) }),
    explanationURL: url.optional(),
  }),
}
