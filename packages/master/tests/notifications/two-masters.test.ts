import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startTestMaster } from '@nxmesh/testkit/master'
import { scratch } from '@nxmesh/testkit/scratch'
import { stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { openRig, type Rig, webhook } from './rig.ts'

const stack = new AsyncDisposableStack()
let one: Rig
let two: Awaited<ReturnType<typeof startTestMaster>>

beforeAll(async () => {
  const opened = stack.use(await stores.find(({ name }) => name === 'PostgreSQL')!.open())
  const directory = stack.use(await scratch()).path
  const key = join(directory, 'secret.key')
  await writeFile(key, randomBytes(32).toString('base64'), { mode: 0o600 })
  const settings = [...(await opened.settings()), '--secret-key-file', key]
  const pace = { lease: 1, backoff: () => 0 }
  one = stack.use(await openRig({ ...opened, settings: async () => settings }, pace))
  two = stack.use(await startTestMaster(join(directory, 'two'), [...settings, '--outbound-networks', '127.0.0.1'], { notifications: pace }))
})

afterAll(() => stack.disposeAsync())

test('two masters deliver each event once', async () => {
  await using receiver = await startReceiver()
  const { id } = await one.channel(webhook('both', receiver.url))
  const names = Array.from({ length: 60 }, (_, index) => `alert ${index}`)
  await Promise.all(names.map((name) => one.alert(name)))
  const all = async () => (await one.deliveries(id)).filter(({ state }) => state === 'delivered').length === names.length
  await until('all to be delivered', all)
  const ids = receiver.heard.map(({ headers }) => headers['webhook-id'])
  expect(new Set(ids).size).toBe(names.length)
  expect(ids).toHaveLength(names.length)
})

test('what a master has begun and does not end is sent again under the same id, and its late word counts for nothing', async () => {
  const waiting: ServerResponse[] = []
  // The first to try gets no answer before the second has had one.
  await using receiver = await startReceiver((response, count) => void (count === 1 ? waiting.push(response) : response.end('second')))
  const { id } = await one.channel(webhook('taken over', receiver.url))
  await one.alert('taken over')
  const delivery = await one.settled(id, { state: 'delivered' })
  expect(delivery).toMatchObject({ attempts: 2, response: 'second' })
  waiting[0]!.writeHead(500).end('late')
  await one.alert('afterwards')
  await until('the next', async () => (await one.deliveries(id)).filter(({ state }) => state === 'delivered').length === 2)
  expect(await one.settled(id, { id: delivery.id })).toMatchObject({ state: 'delivered', attempts: 2, response: 'second' })
  const [first, second] = receiver.heard
  expect(first!.headers['webhook-id']).toBe(second!.headers['webhook-id'])
  const channel = await two.client.call(routes.getNotificationChannel, { params: { notification_channel_id: id } })
  expect(channel.failing_since).toBeNull()
})
