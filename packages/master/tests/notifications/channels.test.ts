import { routes } from '@nxmesh/api/routes'
import { administrator } from '@nxmesh/testkit/master'
import { type OpenStore, stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deleteOldDeliveries } from '../../src/notifications/deliveries.ts'
import { type Door, openDoor } from '../door.ts'
import { startReceiver } from './receiver.ts'
import { openRig, type Rig, webhook } from './rig.ts'

const url = 'https://hooks.example.com/nxmesh'

describe.each(stores)('on $name', (store) => {
  let opened: OpenStore
  let rig: Rig
  let door: Door

  beforeAll(async () => {
    opened = await store.open()
    rig = await openRig(opened)
    door = await openDoor(rig.base, administrator)
  })

  afterAll(async () => {
    await rig[Symbol.asyncDispose]()
    await opened[Symbol.asyncDispose]()
  })

  const channels = () => `/workspaces/${rig.workspaceId}/notification-channels`

  test('a channel says what it is told of, unless it is asked otherwise', async () => {
    const { status, body, headers } = await door('POST', channels(), { body: webhook('plain', url) })
    expect([status, headers.get('etag')]).toEqual([201, '"1"'])
    const events = ['health.alert', 'alert.acknowledged', 'alert.resolved']
    expect(body).toMatchObject({ kind: 'webhook', enabled: true, events, min_severity: 'info', url, failing_since: null })
    expect(body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/)
    const got = await door('GET', `/notification-channels/${body.id}`)
    const { secret: _secret, ...rest } = body
    expect(got.body).toEqual(rest)
  })

  test.each([
    [{ kind: 'pager', name: 'x' }, 'kind', 'INVALID_VALUE'],
    [{ kind: 'webhook', name: 'x' }, 'url', 'REQUIRED'],
    [{ kind: 'webhook', name: 'x', url: 'ftp://example.com' }, 'url', 'INVALID_FORMAT'],
    [{ kind: 'webhook', name: 'x', url: 'https://user:word@example.com' }, 'url', 'INVALID_FORMAT'],
    [{ kind: 'webhook', name: 'x', url, secret: 'whsec_c2hvcnQ=' }, 'secret', 'INVALID_FORMAT'],
    [{ kind: 'webhook', name: 'x', url, events: ['agent.*', 'nonsense.*'] }, 'events.1', 'INVALID_VALUE'],
    [{ kind: 'webhook', name: 'x', url, events: [] }, 'events', 'OUT_OF_RANGE'],
    [{ kind: 'webhook', name: 'x', url, min_severity: 'bad' }, 'min_severity', 'INVALID_VALUE'],
    [{ kind: 'webhook', name: 'x', url, recipients: ['a@example.com'] }, 'recipients', 'UNKNOWN_FIELD'],
    [{ kind: 'email', name: 'x', recipients: ['a@example.com\r\nBcc: b@example.com'] }, 'recipients.0', 'INVALID_FORMAT'],
  ])('%j is refused', async (body, field, code) => {
    const answer = await door('POST', channels(), { body })
    expect(answer.status).toBe(422)
    expect(answer.body.error.details).toEqual([expect.objectContaining({ field, code })])
  })

  test('a change needs the tag that is there, and says what it is of', async () => {
    const { body } = await door('POST', channels(), { body: webhook('changed', url) })
    const path = `/notification-channels/${body.id}`
    const patch = (change: object, tag = '*') => door('PATCH', path, { body: change, headers: { 'if-match': tag } })
    expect((await patch({ name: 'renamed' }, '"1"')).headers.get('etag')).toBe('"2"')
    expect((await patch({ name: 'again' }, '"1"')).status).toBe(412)
    expect((await patch({ min_severity: 'error', events: ['*'] })).body).toMatchObject({
      name: 'renamed',
      min_severity: 'error',
      events: ['*'],
    })
    expect((await patch({ events: null })).body.events).toHaveLength(3)
    expect((await patch({ recipients: ['a@example.com'] })).body.error.details).toEqual([
      expect.objectContaining({ field: 'recipients', code: 'UNKNOWN_FIELD' }),
    ])
    expect((await patch({ url: null })).body.error.details).toEqual([expect.objectContaining({ field: 'url', code: 'REQUIRED' })])
    expect((await door('POST', channels(), { body: webhook('renamed', url) })).status).toBe(409)
    const { data } = await rig.client.call(routes.listWorkspaceAudit, {
      params: { workspace_id: rig.workspaceId },
      query: { object: body.id },
    })
    expect(data.map(({ action }) => action)).toEqual([
      'notification-channel.update',
      'notification-channel.update',
      'notification-channel.update',
      'notification-channel.create',
    ])
    expect((await door('DELETE', path, { headers: { 'if-match': '"1"' } })).status).toBe(412)
    expect((await door('DELETE', path)).status).toBe(204)
    expect((await door('GET', path)).status).toBe(404)
  })

  test('what was still to be delivered ends when the channel is disabled, and is no longer replayed', async () => {
    await using receiver = await startReceiver((response) => response.writeHead(503, { 'retry-after': '3600' }).end())
    const { id } = await rig.channel(webhook('disabled', receiver.url))
    await rig.alert('disabled')
    await rig.settled(id, { status: 503 })
    await door('PATCH', `/notification-channels/${id}`, { body: { enabled: false } })
    const [delivery] = await rig.deliveries(id)
    expect(delivery).toMatchObject({ state: 'failed', error: 'the channel was disabled', next_attempt_at: null })
    expect((await door('POST', `/notification-deliveries/${delivery!.id}/replay`)).status).toBe(409)
  })

  test('deliveries that are over go after a week, and beyond a number', async () => {
    await using receiver = await startReceiver()
    const { id } = await rig.channel(webhook('old', receiver.url))
    for (const name of ['one', 'two', 'three']) await rig.alert(name)
    const { ctx } = rig.master
    await until('all to be delivered', async () => (await rig.deliveries(id)).filter(({ state }) => state === 'delivered').length === 3)
    const [newest] = await rig.deliveries(id)
    await deleteOldDeliveries(ctx, 1)
    expect((await rig.deliveries(id)).map((delivery) => delivery.id)).toEqual([newest!.id])
    await deleteOldDeliveries({ db: ctx.db, now: () => Date.now() + 8 * 24 * 3_600_000 })
    expect(await rig.deliveries(id)).toEqual([])
  })

  test('no query of these reads a whole table', async () => {
    expect((await unindexed(rig.master.ctx.db, rig.queries)).filter((found) => found.includes('notification'))).toEqual([])
  })
})
