import type { NotificationDelivery } from '@nxmesh/model/notification-channel'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { DeliveryRow } from '../db/schema-events.ts'
import { transaction } from '../db/transaction.ts'
import { uuidv7 } from '../uuid.ts'
import { factsOf } from './attempts.ts'
import { readRow } from './channels.ts'
import { shownDelivery } from './deliveries.ts'
import { newDelivery } from './fan-out.ts'
import { messageOf, openTarget } from './message.ts'
import type { SentEvent } from './words.ts'

/** Sends a test event through a channel now, also where it is disabled, and tells what came of it. It is not tried again. */
export async function tryChannel(ctx: Ctx, id: string): Promise<NotificationDelivery> {
  const channel = await readRow(ctx.db, id)
  const { workspace_id } = channel
  const at = timestamp(ctx)
  const data = { channel_id: id, message: `this is a test of the channel "${channel.name}"` }
  const event: SentEvent = { id: uuidv7(ctx.now()), type: 'notification.test', timestamp: at, workspace_id, data }
  const body = JSON.stringify(event)
  const begun = performance.now()
  const message = await messageOf(ctx, { event_id: event.id, body, workspace_id })
  const outcome = await ctx.sender.send(openTarget(ctx, channel), message, new AbortController().signal)
  const facts = factsOf({ ...outcome, duration_ms: Math.round(performance.now() - begun) })
  const row: DeliveryRow = {
    ...newDelivery(ctx, channel, at),
    ...facts,
    event_id: event.id,
    event_type: event.type,
    event_at: at,
    body,
    state: outcome.result === 'delivered' ? 'delivered' : 'failed',
    attempts: 1,
    last_attempt_at: at,
    next_attempt_at: null,
  }
  await transaction(
    ctx,
    async ({ db }) => {
      const { name } = await readRow(db, id)
      await db.insertInto('notification_deliveries').values(row).execute()
      const object = { kind: 'notification-channel', id, name }
      await audit(ctx, db, { workspaceId: workspace_id, object, after: { state: row.state, status: row.status } })
    },
    workspace_id,
  )
  return shownDelivery(row)
}
