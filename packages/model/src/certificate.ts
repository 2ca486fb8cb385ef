import { z } from 'zod'
import { certificateName } from './certificate-name.ts'
import { id, timestamp } from './text.ts'

/** Where certificates come from. `acme` is any other ACME directory than Let's Encrypt, by an account of the workspace. */
export const certificateProviders = ['letsencrypt', 'letsencrypt_staging', 'acme', 'uploaded', 'self_signed'] as const
export type CertificateProvider = (typeof certificateProviders)[number]

export const certificateStatuses = ['pending', 'active', 'renewing', 'failed', 'expired', 'revoked'] as const
export type CertificateStatus = (typeof certificateStatuses)[number]

export const keyTypes = ['ec256', 'ec384', 'rsa2048', 'rsa3072', 'rsa4096'] as const
export type KeyType = (typeof keyTypes)[number]
export const challengeTypes = ['http-01', 'dns-01'] as const
export type ChallengeType = (typeof challengeTypes)[number]

/** Names that one certificate may have; the limit of Let's Encrypt. */
const mostNames = 100
const pem = (what: string) => z.string().max(100_000, `must be at most 100000 characters of ${what}`)

/** What users say of a certificate that they request or upload. */
export const certificateInput = z
  .strictObject({
    domain: certificateName,
    names: z
      .array(certificateName)
      .max(mostNames, `must be at most ${mostNames} names`)
      .default([])
      .meta({ description: 'Further names; `domain` is among them in any case.' }),
    provider: z.enum(certificateProviders),
    auto_renew: z.boolean().default(true),
    key_type: z.enum(keyTypes).default('ec256'),
    challenge: z.enum(challengeTypes).nullable().default(null).meta({
      description: 'How the CA is shown that the names are ours: `dns-01` where `dns_provider_id` is given, otherwise `http-01`.',
    }),
    dns_provider_id: id.nullable().default(null),
    acme_account_id: id.nullable().default(null).meta({ description: 'Of provider `acme`; absent, the only one that the workspace has.' }),
    profile: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, dashes or underscores')
      .nullable()
      .default(null)
      .meta({ description: 'A profile of the ACME server, as in `shortlived`.' }),
    certificate_pem: pem('PEM')
      .nullable()
      .default(null)
      .meta({ description: 'Of provider `uploaded`: the certificate and its intermediates.' }),
    private_key_pem: pem('PEM')
      .nullable()
      .default(null)
      .meta({ description: 'Of provider `uploaded`: the private key, without a password. It is never shown.' }),
  })
  .meta({ id: 'CertificateInput' })

export type CertificateInput = z.infer<typeof certificateInput>

/** What may be changed of a certificate. */
export const certificateChange = certificateInput.omit({ domain: true, provider: true }).meta({ id: 'CertificateChange' })

export const certificateError = z
  .strictObject({
    code: z.string(),
    message: z.string().meta({ description: 'What went wrong, in plain words.' }),
    fix: z.string().meta({ description: 'What to do about it.' }),
    at: timestamp,
  })
  .meta({ id: 'CertificateError' })

export type CertificateError = z.infer<typeof certificateError>

export const orderSteps = ['preflight', 'account', 'order', 'challenges', 'validation', 'finalization', 'download', 'installation'] as const
export type OrderStep = (typeof orderSteps)[number]

/** How far the getting of a certificate has come. */
export const certificateOrder = z
  .strictObject({
    id,
    step: z.enum(orderSteps),
    outcome: z.enum(['issued', 'failed', 'cancelled']).nullable().meta({ description: 'null while it is under way.' }),
    names: z.array(z.strictObject({ name: z.string(), status: z.string(), challenge: z.string().nullable() })),
    error: certificateError.nullable(),
    created_at: timestamp,
    ended_at: timestamp.nullable(),
  })
  .meta({ id: 'CertificateOrder' })

export type CertificateOrder = z.infer<typeof certificateOrder>

/** A certificate as the API shows it. */
export const certificate = certificateInput
  .omit({ private_key_pem: true, certificate_pem: true })
  .extend({
    id,
    workspace_id: id,
    names: z.array(z.string()),
    is_wildcard: z.boolean(),
    status: z.enum(certificateStatuses),
    issued_at: timestamp.nullable(),
    expires_at: timestamp.nullable(),
    renews_at: timestamp.nullable().meta({ description: 'When it is renewed, or asked for again after a failure.' }),
    issuer: z.string().nullable(),
    serial: z.string().nullable(),
    fingerprint: z.string().nullable().meta({ description: 'SHA-256 of the certificate, in hexadecimal.' }),
    error: certificateError.nullable(),
    order: certificateOrder.nullable().meta({ description: 'The order that is under way.' }),
    created_at: timestamp,
    updated_at: timestamp,
  })
  .meta({ id: 'Certificate' })

export type Certificate = z.infer<typeof certificate>

/** One thing that stands in the way of a certificate (`error`), or may (`warning`). */
export const certificateFinding = z
  .strictObject({
    severity: z.enum(['error', 'warning']),
    code: z.string(),
    name: z.string().nullable().meta({ description: 'The name that it is about.' }),
    message: z.string(),
    fix: z.string(),
  })
  .meta({ id: 'CertificateFinding' })

export type CertificateFinding = z.infer<typeof certificateFinding>

export const preflightResult = z
  .strictObject({
    ready: z.boolean().meta({ description: 'Whether nothing is known that would make the order fail.' }),
    findings: z.array(certificateFinding),
  })
  .meta({ id: 'CertificatePreflight' })

export type PreflightResult = z.infer<typeof preflightResult>

/** Why a certificate is revoked, by the numbers of RFC 5280 section 5.3.1 that subscribers may give. */
export const revocationReasons = {
  unspecified: 0,
  key_compromise: 1,
  affiliation_changed: 3,
  superseded: 4,
  cessation_of_operation: 5,
} as const
