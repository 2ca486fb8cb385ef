import type { ChannelInput, NotificationChannel } from '@nxmesh/model/notification-channel'
import type { ChannelRow } from '../db/schema-events.ts'
import { newSecret } from './signature.ts'
import type { ChannelTarget } from './target.ts'

const overlap = 24 * 3_600_000

/** A channel as the API shows it: without its secrets. */
export function shownChannel(row: ChannelRow, target: ChannelTarget): NotificationChannel {
  const { id, workspace_id, failing_since, last_error, disabled_reason, created_at, updated_at } = row
  const common = { id, workspace_id, ...saidOf(row), failing_since, last_error, disabled_reason, created_at, updated_at }
  switch (target.kind) {
    case 'webhook':
      return { ...common, kind: target.kind, url: target.url, former_secret_expires_at: target.former?.until ?? null }
    case 'slack':
      return { ...common, kind: target.kind, host: new URL(target.url).host }
    case 'email':
      return { ...common, kind: target.kind, recipients: target.recipients }
    default:
      return target satisfies never
  }
}

/** What somebody would have to say to have the channel as it is. */
export function inputOf(row: ChannelRow, target: ChannelTarget): ChannelInput {
  const common = saidOf(row)
  if (target.kind !== 'webhook') return { ...common, ...target }
  const { former: _former, ...said } = target
  return { ...common, ...said }
}

/** Where what a user says leads; `made` is a secret that was made for it. The secret before a new one goes on signing for a day. */
export function targetOf(input: ChannelInput, before: ChannelTarget | undefined, now: number): { target: ChannelTarget; made?: string } {
  switch (input.kind) {
    case 'slack':
      return { target: { kind: input.kind, url: input.url } }
    case 'email':
      return { target: { kind: input.kind, recipients: input.recipients } }
    case 'webhook': {
      const { kind, url } = input
      const known = before?.kind === 'webhook' ? before : undefined
      const secret = input.secret ?? newSecret()
      const former =
        known === undefined || known.secret === secret
          ? (known?.former ?? null)
          : { secret: known.secret, until: new Date(now + overlap).toISOString() }
      const target = { kind, url, secret, former }
      return input.secret === undefined ? { target, made: secret } : { target }
    }
    default:
      return input satisfies never
  }
}

function saidOf({ name, enabled, events, min_severity }: ChannelRow) {
  return { name, enabled: enabled === 1, events: JSON.parse(events) as string[], min_severity }
}
