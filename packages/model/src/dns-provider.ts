import { z } from 'zod'
import { id, name, timestamp } from './text.ts'

const labels = /^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*$/

const domain = z.string().max(253, 'must be at most 253 characters').regex(labels, 'must be a name such as example.com')

const server = z
  .string()
  .max(300)
  .regex(/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:([1-9]\d{0,4}))?$/, 'must be host or host:port')
  .refine((text) => Number(/:(\d+)$/.exec(text)?.[1] ?? 53) <= 65_535, 'must have a port up to 65535')
  .meta({ description: 'The server that takes updates, as `host` or `host:port` (port 53 when left out).' })

/** A word that goes into a header as it is. */
const word = (max: number) =>
  z
    .string()
    .max(max, `must be at most ${max} characters`)
    .regex(/^[\x21-\x7e]+$/, 'must be printable characters without spaces')

const secret = { writeOnly: true } as const

export const tsigAlgorithms = ['hmac-sha1', 'hmac-sha224', 'hmac-sha256', 'hmac-sha384', 'hmac-sha512'] as const

export type TsigAlgorithm = (typeof tsigAlgorithms)[number]

const tsigSecret = z
  .string()
  .max(1000)
  .regex(/^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$/, 'must be base64')
  .meta({ ...secret, description: 'The secret of the key, in base64.' })

const url = z
  .string()
  .max(2000, 'must be at most 2000 characters')
  .refine((text) => isAddress(text), 'must be an https:// or http:// address without credentials, query and fragment')
  .meta({ format: 'uri', description: '`/present` and `/cleanup` are added.' })

const common = { name }

const plain = {
  rfc2136: {
    server,
    zone: domain.nullable().default(null).meta({ description: 'The zone to update; found by its SOA record when left out.' }),
    tsig_name: domain.meta({ description: 'The name of the TSIG key.' }),
    tsig_algorithm: z.enum(tsigAlgorithms).default('hmac-sha256'),
  },
  cloudflare: {},
  route53: {
    access_key_id: word(128),
    hosted_zone_id: z
      .string()
      .regex(/^[A-Z0-9]{1,32}$/, 'must be the id of a hosted zone, such as Z1D633PJN98FT9')
      .nullable()
      .default(null)
      .meta({ description: 'Found by its name when left out.' }),
  },
  webhook: {
    url,
    username: z
      .string()
      .min(1)
      .max(200)
      .regex(/^[^:\u0000-\u001f\u007f]+$/, 'must not hold a colon')
      .nullable()
      .default(null),
  },
}

const secrets = {
  rfc2136: { tsig_secret: tsigSecret },
  cloudflare: { api_token: word(500).meta(secret) },
  route53: { secret_access_key: word(200).meta(secret), session_token: word(4000).nullable().default(null).meta(secret) },
  webhook: { password: z.string().min(1).max(1000).nullable().default(null).meta(secret) },
}

const settings = {
  rfc2136: z.strictObject({ kind: z.literal('rfc2136'), ...plain.rfc2136, ...secrets.rfc2136 }),
  cloudflare: z.strictObject({ kind: z.literal('cloudflare'), ...plain.cloudflare, ...secrets.cloudflare }),
  route53: z.strictObject({ kind: z.literal('route53'), ...plain.route53, ...secrets.route53 }),
  webhook: z.strictObject({ kind: z.literal('webhook'), ...plain.webhook, ...secrets.webhook }),
}

export type Rfc2136Settings = z.infer<typeof settings.rfc2136>
export type CloudflareSettings = z.infer<typeof settings.cloudflare>
export type Route53Settings = z.infer<typeof settings.route53>
export type WebhookSettings = z.infer<typeof settings.webhook>
export type DnsProviderSettings = Rfc2136Settings | CloudflareSettings | Route53Settings | WebhookSettings
export type DnsProviderKind = DnsProviderSettings['kind']

/** What a user says about a provider, by its kind. */
export const dnsProviderInputs = {
  rfc2136: settings.rfc2136.extend(common).meta({ id: 'Rfc2136DnsProviderInput' }),
  cloudflare: settings.cloudflare.extend(common).meta({ id: 'CloudflareDnsProviderInput' }),
  route53: settings.route53.extend(common).meta({ id: 'Route53DnsProviderInput' }),
  webhook: settings.webhook.extend(common).meta({ id: 'WebhookDnsProviderInput' }),
}

export const dnsProviderInput = z
  .discriminatedUnion('kind', [
    dnsProviderInputs.rfc2136,
    dnsProviderInputs.cloudflare,
    dnsProviderInputs.route53,
    dnsProviderInputs.webhook,
  ])
  .meta({ id: 'DnsProviderInput' })

/** What can be changed: everything but the kind, as far as the kind has it. */
export const dnsProviderChange = z.strictObject({
  ...common,
  ...plain.rfc2136,
  ...plain.route53,
  ...plain.webhook,
  ...secrets.rfc2136,
  ...secrets.cloudflare,
  ...secrets.route53,
  ...secrets.webhook,
})

export type DnsProviderInput = z.infer<typeof dnsProviderInput>

const shown = { id, workspace_id: id, ...common, created_at: timestamp, updated_at: timestamp }

/** A provider as the API shows it: without its secrets. */
export const dnsProvider = z
  .discriminatedUnion('kind', [
    z.strictObject({ ...shown, kind: z.literal('rfc2136'), ...plain.rfc2136 }).meta({ id: 'Rfc2136DnsProvider' }),
    z.strictObject({ ...shown, kind: z.literal('cloudflare'), ...plain.cloudflare }).meta({ id: 'CloudflareDnsProvider' }),
    z.strictObject({ ...shown, kind: z.literal('route53'), ...plain.route53 }).meta({ id: 'Route53DnsProvider' }),
    z.strictObject({ ...shown, kind: z.literal('webhook'), ...plain.webhook }).meta({ id: 'WebhookDnsProvider' }),
  ])
  .meta({ id: 'DnsProvider' })

export type DnsProvider = z.infer<typeof dnsProvider>

/** A try-out of a provider. */
export const dnsProviderTest = z
  .strictObject({ name: domain.meta({ description: 'A name whose challenge the provider is to answer, without `*.`.' }) })
  .meta({ id: 'DnsProviderTest' })

export const dnsProviderTestResult = z
  .strictObject({
    success: z.boolean(),
    record_name: z.string().nullable().meta({ description: 'Where the record was written, after CNAME records were followed.' }),
    message: z.string(),
  })
  .meta({ id: 'DnsProviderTestResult' })

export type DnsProviderTestResult = z.infer<typeof dnsProviderTestResult>

function isAddress(text: string): boolean {
  if (!URL.canParse(text) || /[\s\u0000-\u001f\u007f]/.test(text)) return false
  const { protocol, username, password, hash, search } = new URL(text)
  return /^https?:$/.test(protocol) && username === '' && password === '' && hash === '' && search === ''
}
