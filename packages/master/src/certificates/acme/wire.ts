import { z } from 'zod'

const url = z.url({ protocol: /^https?$/ }).max(2000)
const text = z.string().max(10_000)
const identifier = z.object({ type: text, value: text })

/** What ACME servers send; some write null where there is nothing. Source: RFC 8555 section 7.1; renewal information RFC 9773 section 4. */
export const wire = {
  directory: z.object({
    newNonce: url,
    newAccount: url,
    newOrder: url,
    // Servers inside of companies have not always these.
    revokeCert: url.nullish(),
    keyChange: url.nullish(),
    renewalInfo: url.nullish(),
    meta: z
      .object({
        caaIdentities: z.array(text).max(100).nullish(),
        externalAccountRequired: z.boolean().nullish(),
        profiles: z.record(z.string(), z.string()).nullish(),
      })
      .nullish(),
  }),
  order: z.object({
    status: z.enum(['pending', 'ready', 'processing', 'valid', 'invalid']),
    authorizations: z.array(url).max(500),
    finalize: url,
    certificate: url.nullish(),
    error: z.unknown().optional(),
  }),
  authorization: z.object({
    identifier,
    status: z.enum(['pending', 'valid', 'invalid', 'deactivated', 'expired', 'revoked']),
    wildcard: z.boolean().nullish(),
    challenges: z.array(z.object({ type: text, url, status: text, token: text.nullish(), error: z.unknown().optional() })).max(50),
  }),
  renewalInfo: z.object({
    suggestedWindow: z.object({ start: z.iso.datetime({ offset: true }), end: z.iso.datetime({ offset: true }) }),
  }),
}
