import { routes } from '@nxmesh/api/routes'
import type { Overrides } from '@nxmesh/master/start'
import type { ChannelInput, NotificationChannel, NotificationDelivery } from '@nxmesh/model/notification-channel'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import type { OpenStore } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { pino } from 'pino'
import type { z } from 'zod'
import { begin } from '../../src/db/transaction.ts'
import { tell } from '../../src/events/outbox.ts'

export interface Rig extends AsyncDisposable, TestMaster {
  channel(input: z.input<typeof routes.createNotificationChannel.body>): Promise<NotificationChannel>
  /** Raises an alert, as whatever raises one does: an event in a transaction. */
  alert(message: string, severity?: string): Promise<void>
  deliveries(channelId: string): Promise<NotificationDelivery[]>
  /** Waits for a delivery of a channel that is like this. */
  settled(channelId: string, like: Partial<NotificationDelivery>): Promise<NotificationDelivery>
}

export const agent_id = '770e8400-e29b-41d4-a716-446655440002'

/** A master that may send to this machine and tries again at once. */
export async function openRig(
  store: Pick<OpenStore, 'settings'>,
  pace: Overrides['notifications'] = {},
  settings: string[] = [],
  onLog?: (line: string) => void,
): Promise<Rig> {
  await using opening = new AsyncDisposableStack()
  const directory = opening.use(await scratch())
  const all = [...(await store.settings()), '--outbound-networks', '127.0.0.1', ...settings]
  const log = onLog && pino({ level: 'trace' }, { write: onLog })
  const overrides = { notifications: { backoff: () => 0, ...pace }, ...(log && { log }) }
  const mesh = opening.use(await startTestMaster(directory.path, all, overrides))
  const { client, workspaceId, master } = mesh
  const stack = opening.move()
  const deliveries = async (id: string) =>
    (await client.call(routes.listNotificationDeliveries, { params: { notification_channel_id: id }, query: { per_page: '100' } })).data
  return {
    ...mesh,
    channel: (input) => client.call(routes.createNotificationChannel, { params: { workspace_id: workspaceId }, body: input }),
    alert: (message, severity = 'critical') =>
      begin(master.ctx.db, async (tx) =>
        tell(master.ctx, tx, workspaceId, 'health.alert', { agent_id, alert_id: message, severity, message, metric: '', value: 0 }),
      ),
    deliveries,
    settled: (id, like) =>
      until(`a delivery like ${JSON.stringify(like)}`, async () =>
        (await deliveries(id)).find((delivery) =>
          Object.entries(like).every(([key, value]) => delivery[key as keyof typeof like] === value),
        ),
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }
}

/** What creates a webhook. */
export function webhook(name: string, url: string, more: Partial<Extract<ChannelInput, { kind: 'webhook' }>> = {}) {
  return { kind: 'webhook' as const, name, url, ...more }
}

/** A channel by its kind, as the compiler wants to know it. */
export function asWebhook(channel: NotificationChannel): Extract<NotificationChannel, { kind: 'webhook' }> {
  if (channel.kind !== 'webhook') throw new Error(`it is ${channel.kind}`)
  return channel
}
