import { z } from 'zod'
import { id, name, timestamp } from './text.ts'

const url = z
  .string()
  .max(1000)
  .refine((text) => URL.canParse(text) && new URL(text).protocol === 'https:', 'must be an address that begins with https://')

/** What users say of an account at an ACME server. */
export const acmeAccountInput = z
  .strictObject({
    name,
    directory_url: url.meta({ description: 'The directory of the ACME server (RFC 8555 section 7.1.1).' }),
    email: z.email('must be an e-mail address').max(254).nullable().default(null),
    eab_kid: z
      .string()
      .min(1)
      .max(500)
      .nullable()
      .default(null)
      .meta({ description: 'Key id of an external account binding, which some CAs ask for.' }),
    eab_hmac_key: z
      .string()
      .regex(/^[A-Za-z0-9_-]{8,1000}=*$/, 'must be base64url')
      .nullable()
      .default(null)
      .meta({ description: 'Key of the external account binding, in base64url. It is never shown.' }),
    ca_pem: z
      .string()
      .max(50_000)
      .nullable()
      .default(null)
      .meta({ description: 'The CA of the ACME server’s own address, where it is a private one.' }),
  })
  .meta({ id: 'AcmeAccountInput' })

export type AcmeAccountInput = z.infer<typeof acmeAccountInput>

/** What may be changed of an account. */
export const acmeAccountChange = acmeAccountInput.omit({ directory_url: true }).meta({ id: 'AcmeAccountChange' })

/** An account as the API shows it. */
export const acmeAccount = acmeAccountInput
  .omit({ eab_hmac_key: true })
  .extend({
    id,
    workspace_id: id,
    status: z.enum(['new', 'registered', 'rotating']).meta({ description: 'An account is registered with its first order.' }),
    account_url: z.string().nullable(),
    thumbprint: z.string().meta({ description: 'Of the account’s key (RFC 7638): what HTTP-01 challenges are answered with.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'AcmeAccount' })

export type AcmeAccount = z.infer<typeof acmeAccount>
