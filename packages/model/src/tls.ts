import { z } from 'zod'

/** How strict TLS is, by the names of Mozilla's guideline: only TLS 1.3; every browser of the last years; or also what is long out of date. */
export const tlsPolicies = ['modern', 'intermediate', 'old'] as const
export const tlsPolicy = z.enum(tlsPolicies)
export type TlsPolicy = (typeof tlsPolicies)[number]

const year = 31_536_000

const hsts = z
  .strictObject({
    max_age: z
      .int()
      .min(0, 'must be from 0 to 63072000')
      .max(2 * year, 'must be from 0 to 63072000')
      .default(year)
      .meta({ description: 'Seconds.' }),
    include_subdomains: z.boolean().default(false),
    preload: z.boolean().default(false),
  })
  .superRefine(({ max_age, include_subdomains, preload }, ctx) => {
    if (!preload || (include_subdomains && max_age >= year)) return
    const message = `needs include_subdomains and a max_age of at least ${year}: browsers take no other into their lists`
    ctx.addIssue({ code: 'custom', path: ['preload'], message })
  })
  .meta({ id: 'Hsts', description: 'The Strict-Transport-Security header (RFC 6797).' })

/** What a virtual host wants of TLS beyond its certificate. */
export const tlsOptions = z
  .strictObject({
    policy: tlsPolicy.optional().meta({ description: 'That of the settings where it is absent.' }),
    redirect_http: z.boolean().default(false).meta({ description: 'Requests over plain HTTP are sent to HTTPS.' }),
    hsts: hsts.optional(),
    ocsp_stapling: z
      .boolean()
      .default(false)
      .meta({ description: 'Only for certificates that name an OCSP responder, which few CAs still have.' }),
  })
  .meta({ id: 'TlsOptions' })

export type TlsOptions = z.infer<typeof tlsOptions>
