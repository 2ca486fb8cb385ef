import { accessLogEntry, errorLogEntry } from '@nxmesh/model/access-log'
import { explained } from '@nxmesh/model/explained'
import { labels } from '@nxmesh/model/labels'
import { id, timestamp } from '@nxmesh/model/text'
import { z } from 'zod'
import { errorBody } from './errors.ts'
import { accessLogFilters, errorLogFilters } from './log-filters.ts'

/** Why the stream of an agent ended, as far as the master knows. */
export const disconnectReasons = [
  'connection_timeout',
  'connection_lost',
  'closed_by_agent',
  'replaced',
  'revoked',
  'refused',
  'master_stopped',
  'master_lost',
] as const

export type DisconnectReason = (typeof disconnectReasons)[number]

const version = z.int()
const agent_id = id
const named = { name: z.string() }
const alert = { agent_id, alert_id: z.string(), severity: z.string(), message: z.string(), metric: z.string(), value: z.number() }
const host = z.strictObject({ virtual_host_id: id, ...named, version })
const streamHost = z.strictObject({ stream_host_id: id, ...named, version })
const upstream = z.strictObject({ upstream_id: id, ...named, version })
const certificate = { certificate_id: id, ...named }
const changedCertificate = z.strictObject({ ...certificate, version })
const server = { agent_id, upstream_id: id, address: z.string() }

/** Every type of event and what it carries. */
export const eventData = {
  'agent.connected': z.strictObject({ agent_id, hostname: z.string(), ip_address: z.string() }),
  'agent.disconnected': z.strictObject({ agent_id, reason: z.enum(disconnectReasons) }),
  'agent.online': z.strictObject({ agent_id }),
  'agent.degraded': z.strictObject({ agent_id, reason: z.string() }),
  'agent.drifted': z.strictObject({ agent_id, message: z.string() }),
  'agent.created': z.strictObject({ agent_id, ...named }),
  'agent.updated': z.strictObject({ agent_id, ...named, labels }),
  'agent.deleted': z.strictObject({ agent_id, ...named }),
  'config.applied': z.strictObject({
    agent_id,
    config_id: z.string(),
    version,
    duration_ms: z.int(),
    success: z.boolean(),
    error: z.string().optional(),
    ...explained,
  }),
  'health.alert': z.strictObject(alert),
  'alert.acknowledged': z.strictObject({
    agent_id,
    alert_id: z.string(),
    severity: z.string(),
    message: z.string(),
    acknowledged_by: z.string(),
  }),
  'alert.resolved': z.strictObject(alert),
  'virtual_host.created': host,
  'virtual_host.updated': host,
  'virtual_host.deleted': host,
  'stream_host.created': streamHost,
  'stream_host.updated': streamHost,
  'stream_host.deleted': streamHost,
  'upstream.created': upstream,
  'upstream.updated': upstream,
  'upstream.deleted': upstream,
  'upstream.server_down': z.strictObject({ ...server, error: z.string() }),
  'upstream.server_up': z.strictObject(server),
  'certificate.created': changedCertificate,
  'certificate.updated': changedCertificate,
  'certificate.deleted': changedCertificate,
  'certificate.issued': z.strictObject({ ...certificate, names: z.array(z.string()), expires_at: timestamp, renewed: z.boolean() }),
  'certificate.failed': z.strictObject({ ...certificate, error: z.string(), fix: z.string(), retries_at: timestamp.nullable() }),
  'certificate.expiring': z.strictObject({ ...certificate, expires_at: timestamp, days_left: z.number() }),
  'certificate.expired': z.strictObject({ ...certificate, expires_at: timestamp }),
  'certificate.revoked': z.strictObject({ ...certificate, reason: z.string() }),
  'settings.updated': z.strictObject({ version }),
  'revision.created': z.strictObject({ version, author: z.string(), reason: z.string(), changes: z.int() }),
} as const satisfies Record<string, z.ZodType>

export type EventType = keyof typeof eventData
export type EventData<T extends EventType> = z.output<(typeof eventData)[T]>

const eventTypes = Object.keys(eventData) as [EventType, ...EventType[]]

/** An event as it is sent; what it carries follows from its type. */
export const eventEnvelope = z.strictObject({
  id,
  type: z.enum(eventTypes),
  timestamp,
  workspace_id: id,
  data: z.record(z.string(), z.unknown()),
})

export type EventEnvelope = z.infer<typeof eventEnvelope>

/** The cursor before all history that is kept. */
export const earliest = 'earliest'

const cursor = z.string().max(64, 'must have at most 64 characters')
const request_id = z
  .string()
  .regex(/^[A-Za-z0-9._:-]{1,128}$/, 'must be 1 to 128 letters, digits, dots, dashes, colons or underscores')
  .optional()

const pattern = z.string().max(64).refine(isPattern, 'is the pattern of no event')
const skipped = z.int()
const patterns = z.array(pattern).min(1).max(50)
const filter = z.strictObject({ workspace_id: id.optional(), agent_id: id.optional() })
const accessTail = { log: z.literal('access'), filter: z.strictObject({ workspace_id: id, ...accessLogFilters }) }
const errorTail = { log: z.literal('error'), filter: z.strictObject({ workspace_id: id, ...errorLogFilters }) }

/** Whether a pattern stands for a type: `*`, the beginning of a type and `.*`, or a type itself. */
export function isOfPattern(text: string, type: string): boolean {
  if (text === '*') return true
  return text.endsWith('.*') ? type.startsWith(text.slice(0, -1)) : type === text
}

/** Whether a pattern stands for any type of event. */
export function isPattern(text: string): boolean {
  return eventTypes.some((type) => isOfPattern(text, type))
}

/** What a client may send. */
export const clientMessage = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('subscribe'),
    events: patterns.default(['*']),
    filter: filter.default({}),
    after: cursor.optional(),
    request_id,
  }),
  z.strictObject({
    action: z.literal('unsubscribe'),
    subscription_id: z.string().max(64).optional(),
    events: patterns.optional(),
    request_id,
  }),
  z.discriminatedUnion('log', [
    z.strictObject({ action: z.literal('tail'), ...accessTail, request_id }),
    z.strictObject({ action: z.literal('tail'), ...errorTail, request_id }),
  ]),
  z.strictObject({ action: z.literal('untail'), tail_id: z.string().max(64).optional(), request_id }),
])

export type ClientMessage = z.output<typeof clientMessage>
export type Tail = Extract<ClientMessage, { action: 'tail' }>

/** What the address may carry. */
export const eventsQuery = z.strictObject({ token: z.string().optional(), last_event_id: cursor.optional() })

/** What the master answers to the messages of a client. */
export const serverAnswer = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('subscribed'),
    request_id: z.string(),
    subscription_id: z.string(),
    events: z.array(z.string()),
    filter,
    last_event_id: z.string().nullable(),
  }),
  z.strictObject({ type: z.literal('unsubscribed'), request_id: z.string(), subscriptions: z.array(z.string()) }),
  z.strictObject({ type: z.literal('tailing'), request_id: z.string(), tail_id: z.string() }),
  z.strictObject({ type: z.literal('untailed'), request_id: z.string(), tails: z.array(z.string()) }),
  errorBody.extend({ type: z.literal('error') }),
])

export type ServerAnswer = z.infer<typeof serverAnswer>

/** What the master sends of a log that a client follows: new lines in the order in which they came, and how many were left out before them. */
export const tailMessage = z.discriminatedUnion('type', [
  z.discriminatedUnion('log', [
    z.strictObject({ type: z.literal('log.entries'), tail_id: z.string(), log: accessTail.log, skipped, entries: z.array(accessLogEntry) }),
    z.strictObject({ type: z.literal('log.entries'), tail_id: z.string(), log: errorTail.log, skipped, entries: z.array(errorLogEntry) }),
  ]),
  errorBody.extend({ type: z.literal('tail.ended'), tail_id: z.string() }),
])

export type TailMessage = z.infer<typeof tailMessage>

/** Why the master closes a socket, beyond the codes of RFC 6455. */
export const closeCodes = {
  goingAway: 1001,
  policy: 1008,
  slow: 1013,
  unauthorized: 4401,
  gone: 4410,
} as const
