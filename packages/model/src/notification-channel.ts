import { z } from 'zod'
import { severities } from './severity.ts'
import { id, name, timestamp } from './text.ts'

const pattern = z
  .string()
  .max(64, 'must be at most 64 characters')
  .meta({ description: '`*`, the beginning of a type of event and `.*`, or a type.' })

const common = {
  name,
  enabled: z.boolean().default(true),
  events: z
    .array(pattern)
    .min(1, 'must hold at least one pattern')
    .max(50)
    .default(['health.alert', 'alert.acknowledged', 'alert.resolved']),
  min_severity: z.enum(severities).default('info').meta({ description: 'Alerts that are milder are left out.' }),
}

const address = z
  .string()
  .max(2000, 'must be at most 2000 characters')
  .superRefine((text, ctx) => {
    const fault = faultOf(text)
    if (fault) ctx.addIssue({ code: 'custom', message: fault, params: { code: 'INVALID_FORMAT' } })
  })
  .meta({ description: 'An `https://` or `http://` address.', format: 'uri' })

const secret = z
  .string()
  .regex(/^whsec_[A-Za-z0-9+/]+={0,2}$/, 'must be whsec_ and 24 to 64 bytes in base64')
  .refine((text) => isKey(text), 'must be whsec_ and 24 to 64 bytes in base64')
  .meta({ description: 'Signs what is sent: `whsec_` and 24 to 64 bytes in base64. The master makes one when it is left out.' })

const recipients = z.array(z.email('must be an e-mail address').max(320)).min(1, 'must hold at least one address').max(50)

/** What a user says about a channel, by its kind. */
export const channelInputs = {
  webhook: z
    .strictObject({ kind: z.literal('webhook'), ...common, url: address, secret: secret.optional() })
    .meta({ id: 'WebhookChannelInput' }),
  slack: z.strictObject({ kind: z.literal('slack'), ...common, url: address }).meta({ id: 'SlackChannelInput' }),
  email: z.strictObject({ kind: z.literal('email'), ...common, recipients }).meta({ id: 'EmailChannelInput' }),
}

export const channelInput = z
  .discriminatedUnion('kind', [channelInputs.webhook, channelInputs.slack, channelInputs.email])
  .meta({ id: 'NotificationChannelInput' })

/** What can be changed: everything but the kind, as far as the kind has it. */
export const channelChange = z.strictObject({ ...common, url: address, secret: secret.optional(), recipients })

export type ChannelInput = z.infer<typeof channelInput>
export type ChannelKind = ChannelInput['kind']

const shown = {
  id,
  workspace_id: id,
  ...common,
  failing_since: timestamp.nullable().meta({ description: 'Since when nothing that was tried has arrived.' }),
  last_error: z.string().nullable(),
  disabled_reason: z.string().nullable().meta({ description: 'Why the master has disabled it.' }),
  created_at: timestamp,
  updated_at: timestamp,
}

const webhook = z
  .strictObject({
    ...shown,
    kind: z.literal('webhook'),
    url: z.string(),
    secret: z.string().optional().meta({ description: 'Shown once, where the master has just made it.' }),
    former_secret_expires_at: timestamp.nullable().meta({ description: 'Until when the secret before this one signs too.' }),
  })
  .meta({ id: 'WebhookChannel' })

/** A channel as the API shows it. */
export const notificationChannel = z
  .discriminatedUnion('kind', [
    webhook,
    z.strictObject({ ...shown, kind: z.literal('slack'), host: z.string() }).meta({ id: 'SlackChannel' }),
    z.strictObject({ ...shown, kind: z.literal('email'), recipients: z.array(z.string()) }).meta({ id: 'EmailChannel' }),
  ])
  .meta({ id: 'NotificationChannel' })

export type NotificationChannel = z.infer<typeof notificationChannel>

export const deliveryStates = ['pending', 'delivered', 'failed'] as const

/** One event on its way through one channel, as the API shows it. */
export const notificationDelivery = z
  .strictObject({
    id,
    channel_id: id,
    event_id: id,
    event_type: z.string(),
    event_at: timestamp,
    state: z.enum(deliveryStates),
    attempts: z.int(),
    last_attempt_at: timestamp.nullable(),
    next_attempt_at: timestamp.nullable(),
    status: z.int().nullable().meta({ description: 'The status of the last answer, where there was one.' }),
    response: z.string().nullable().meta({ description: 'How the last answer begins.' }),
    error: z.string().nullable(),
    duration_ms: z.int().nullable(),
    replay_of: id.nullable().meta({ description: 'The delivery that this one repeats.' }),
    created_at: timestamp,
  })
  .meta({ id: 'NotificationDelivery' })

export type NotificationDelivery = z.infer<typeof notificationDelivery>

function faultOf(text: string): string | undefined {
  if (!URL.canParse(text) || /[\s\u0000-\u001f\u007f]/.test(text)) return 'must be an address that begins with https:// or http://'
  const { protocol, username, password, hash } = new URL(text)
  if (protocol !== 'https:' && protocol !== 'http:') return 'must begin with https:// or http://'
  if (username !== '' || password !== '') return 'must not hold a user name or a password'
  return hash === '' ? undefined : 'must not hold a fragment'
}

function isKey(text: string): boolean {
  const encoded = text.slice('whsec_'.length)
  const padded = encoded.replace(/=+$/, '')
  const bytes = Math.floor((padded.length * 3) / 4)
  return padded.length % 4 !== 1 && bytes >= 24 && bytes <= 64 && (encoded === padded || encoded.length % 4 === 0)
}
