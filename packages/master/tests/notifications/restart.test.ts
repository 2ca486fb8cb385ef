import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { webhook } from './rig.ts'

const settings = ['--outbound-networks', '127.0.0.1']

test('what a master has under way when it stops is sent by the next, at once and under the same id', async () => {
  await using directory = await scratch()
  await using receiver = await startReceiver((response, count) => void (count > 1 && response.end()))
  const before = await startTestMaster(directory.path, settings)
  const params = { workspace_id: before.workspaceId }
  const body = webhook('restarted', receiver.url, { events: ['upstream.*'] })
  const { id } = await before.client.call(routes.createNotificationChannel, { params, body })
  await before.client.call(routes.createUpstream, { params, body: { name: 'web', servers: [{ address: '10.0.0.1:80' }] } })
  await until('it to be under way', () => receiver.heard.length === 1)
  await before[Symbol.asyncDispose]()

  await using after = await startTestMaster(directory.path, settings)
  const list = { params: { notification_channel_id: id } }
  const delivery = await until('it to be delivered', async () => {
    const { data } = await after.client.call(routes.listNotificationDeliveries, list)
    return data.find(({ state }) => state === 'delivered')
  })
  // What was cut short by the stop does not count, and is no fault of the receiver.
  expect(delivery).toMatchObject({ attempts: 1, event_type: 'upstream.created' })
  expect(new Set(receiver.heard.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([delivery.event_id]))
  const channel = await after.client.call(routes.getNotificationChannel, list)
  expect(channel.failing_since).toBeNull()
})
