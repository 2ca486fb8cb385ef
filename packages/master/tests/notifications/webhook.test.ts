import { routes } from '@nxmesh/api/routes'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { until } from '@nxmesh/testkit/until'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { eventOf } from '../events/listening.ts'
import { type Heard, startReceiver } from './receiver.ts'
import { asWebhook, openRig, type Rig, webhook } from './rig.ts'

const params = (id: string) => ({ notification_channel_id: id })
const verify = (secret: string, { body, headers }: Heard) => new Webhook(secret).verify(body, headers as Record<string, string>)

describe.each(stores)('on $name', (store) => {
  let opened: OpenStore
  let rig: Rig

  beforeAll(async () => {
    opened = await store.open()
    rig = await openRig(opened)
  })

  afterAll(async () => {
    await rig[Symbol.asyncDispose]()
    await opened[Symbol.asyncDispose]()
  })

  test('an alert comes as the event that sockets are told, signed', async () => {
    await using receiver = await startReceiver()
    const channel = asWebhook(await rig.channel(webhook('signed', receiver.url)))
    await rig.alert('signed')
    const delivery = await rig.settled(channel.id, { state: 'delivered' })
    const [heard] = receiver.heard
    expect(verify(channel.secret!, heard!)).toEqual(JSON.parse(heard!.body))
    const event = eventOf(JSON.parse(heard!.body))
    expect(event).toMatchObject({ type: 'health.alert', workspace_id: rig.workspaceId, data: { message: 'signed' } })
    expect(heard!.headers).toMatchObject({ 'webhook-id': event.id, 'content-type': 'application/json' })
    expect(delivery).toMatchObject({ event_id: event.id, attempts: 1, status: 200, response: 'ok', error: null, next_attempt_at: null })
    expect(receiver.heard).toHaveLength(1)
  })

  test('what fails is tried again under the same id, and the channel shows since when', async () => {
    await using receiver = await startReceiver((response, count) => response.writeHead(count < 3 ? 500 : 204).end())
    const { id } = await rig.channel(webhook('again', receiver.url))
    await rig.alert('again')
    expect(await rig.settled(id, { state: 'delivered' })).toMatchObject({ attempts: 3, status: 204 })
    expect(new Set(receiver.heard.map(({ headers }) => headers['webhook-id'])).size).toBe(1)
    expect(await rig.client.call(routes.getNotificationChannel, { params: params(id) })).toMatchObject({
      failing_since: null,
      last_error: null,
    })
  })

  test('what never arrives is given up after nine attempts, and the channel is failing', async () => {
    await using receiver = await startReceiver((response) => response.writeHead(500).end('no'))
    const { id } = await rig.channel(webhook('never', receiver.url))
    await rig.alert('never')
    expect(await rig.settled(id, { state: 'failed' })).toMatchObject({
      attempts: 9,
      status: 500,
      response: 'no',
      error: 'it answered 500',
    })
    expect(receiver.heard).toHaveLength(9)
    const channel = await rig.client.call(routes.getNotificationChannel, { params: params(id) })
    expect(channel).toMatchObject({ failing_since: expect.any(String), last_error: 'it answered 500', enabled: true })
  })

  test('410 disables the channel', async () => {
    await using receiver = await startReceiver((response) => response.writeHead(410).end())
    const { id } = await rig.channel(webhook('gone', receiver.url))
    await rig.alert('gone')
    await rig.settled(id, { state: 'failed', attempts: 1, status: 410 })
    const channel = await rig.client.call(routes.getNotificationChannel, { params: params(id) })
    expect(channel).toMatchObject({ enabled: false, disabled_reason: 'the receiver answered 410 Gone' })
    const { data } = await rig.client.call(routes.listWorkspaceAudit, {
      params: { workspace_id: rig.workspaceId },
      query: { action: 'notification-channel.disable' },
    })
    expect(data[0]).toMatchObject({ actor: { kind: 'system' }, object: { id } })
    await rig.client.call(routes.updateNotificationChannel, { params: params(id), body: { enabled: true } })
    expect(await rig.client.call(routes.getNotificationChannel, { params: params(id) })).toMatchObject({
      enabled: true,
      disabled_reason: null,
    })
  })

  test.each([429, 503])('Retry-After of %i is honoured', async (status) => {
    await using receiver = await startReceiver((response) => response.writeHead(status, { 'retry-after': '1000' }).end())
    const { id } = await rig.channel(webhook(`later-${status}`, receiver.url))
    await rig.alert('later')
    const delivery = await until('the attempt', async () => (await rig.deliveries(id)).find((found) => found.status === status))
    const wait = Date.parse(delivery.next_attempt_at!) - Date.parse(delivery.last_attempt_at!)
    expect(delivery).toMatchObject({ state: 'pending', attempts: 1 })
    expect(Math.round(wait / 100_000)).toBe(10)
  })

  test('a channel is told of what happens the moment after it is made', async () => {
    await using receiver = await startReceiver()
    const rounds = 40
    const made: string[] = []
    for (let round = 0; round < rounds; round++) {
      made.push((await rig.channel(webhook(`new-${round}`, receiver.url))).id)
      await rig.alert(`after ${round}`)
    }
    for (const [round, id] of made.entries())
      await until(`all deliveries from alert ${round} on`, async () => (await rig.deliveries(id)).length === rounds - round)
  })

  test('a redirect is not followed', async () => {
    await using other = await startReceiver()
    await using receiver = await startReceiver((response) => response.writeHead(307, { location: other.url }).end())
    const { id } = await rig.channel(webhook('moved', receiver.url))
    await rig.alert('moved')
    expect(await rig.settled(id, { state: 'failed' })).toMatchObject({ status: 307 })
    expect(other.heard).toEqual([])
  })

  test('a new secret is shown once, and the former one signs too', async () => {
    await using receiver = await startReceiver()
    const first = asWebhook(await rig.channel(webhook('rotated', receiver.url)))
    const second = asWebhook(await rig.client.call(routes.updateNotificationChannel, { params: params(first.id), body: { secret: null } }))
    const shown = asWebhook(await rig.client.call(routes.getNotificationChannel, { params: params(first.id) }))
    expect(second.secret).not.toBe(first.secret)
    expect([shown.secret, shown.former_secret_expires_at]).toEqual([undefined, expect.any(String)])
    await rig.alert('rotated')
    await rig.settled(first.id, { state: 'delivered' })
    for (const { secret } of [first, second]) expect(() => verify(secret!, receiver.heard[0]!)).not.toThrow()
    expect(String(receiver.heard[0]!.headers['webhook-signature']).split(' ')).toHaveLength(2)
  })

  test('a replay is a new delivery of the same event', async () => {
    await using receiver = await startReceiver()
    const { id } = await rig.channel(webhook('replayed', receiver.url))
    await rig.alert('replayed')
    const first = await rig.settled(id, { state: 'delivered' })
    const again = await rig.client.call(routes.replayNotificationDelivery, { params: { notification_delivery_id: first.id } })
    expect(again).toMatchObject({ state: 'pending', attempts: 0, event_id: first.event_id, replay_of: first.id })
    await rig.settled(id, { id: again.id, state: 'delivered' })
    expect(receiver.heard.map(({ body }) => body)).toEqual([receiver.heard[0]!.body, receiver.heard[0]!.body])
    expect(receiver.heard.map(({ headers }) => headers['webhook-id'])).toEqual([first.event_id, first.event_id])
  })

  test('a test is sent at once and tells what came of it', async () => {
    await using receiver = await startReceiver((response, count) => response.writeHead(count === 1 ? 200 : 403).end('tested'))
    const { id } = await rig.channel(webhook('tested', receiver.url, { enabled: false }))
    const ask = () => rig.client.call(routes.testNotificationChannel, { params: params(id) })
    expect(await ask()).toMatchObject({ state: 'delivered', event_type: 'notification.test', status: 200, response: 'tested' })
    expect(await ask()).toMatchObject({ state: 'failed', status: 403, attempts: 1, next_attempt_at: null })
    const { data } = await rig.client.call(routes.listNotificationDeliveries, { params: params(id), query: { state: 'failed' } })
    expect(data.map((delivery) => delivery.status)).toEqual([403])
  })

  test('only what is asked for comes: by pattern, by severity, and from the creation on', async () => {
    await using receiver = await startReceiver()
    await rig.alert('before')
    const { id } = await rig.channel(webhook('choosy', receiver.url, { events: ['health.*', 'upstream.created'], min_severity: 'error' }))
    await rig.alert('mild', 'warning')
    await rig.alert('bad', 'error')
    const body = { name: 'choosy', servers: [{ address: '10.0.0.1:80' }] }
    await rig.client.call(routes.createUpstream, { params: { workspace_id: rig.workspaceId }, body })
    await rig.settled(id, { event_type: 'upstream.created', state: 'delivered' })
    const told = (await rig.deliveries(id)).map(({ event_type }) => event_type).toSorted()
    expect(told).toEqual(['health.alert', 'upstream.created'])
    expect(receiver.heard.map(({ body: text }) => text).join()).toContain('"bad"')
  })

  test('a receiver that does not answer holds up nobody', async () => {
    await using slow = await startReceiver(() => undefined)
    await using quick = await startReceiver()
    const stuck = await rig.channel(webhook('stuck', slow.url))
    const well = await rig.channel(webhook('well', quick.url))
    for (let index = 0; index < 20; index++) await rig.alert(`burst ${index}`)
    await until(
      'the other to have all',
      async () => (await rig.deliveries(well.id)).filter(({ state }) => state === 'delivered').length === 20,
    )
    // As many as one channel may have under way, and no more.
    expect(slow.heard.length).toBe(4)
    await rig.client.call(routes.deleteNotificationChannel, { params: params(stuck.id) })
  })
})
