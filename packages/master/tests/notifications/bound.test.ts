import type { ServerResponse } from 'node:http'
import { stores } from '@nxmesh/testkit/stores'
import { unindexed } from '@nxmesh/testkit/unindexed'
import { until } from '@nxmesh/testkit/until'
import { describe, expect, test } from 'vitest'
import { startReceiver } from './receiver.ts'
import { openRig, webhook } from './rig.ts'

const metricsToken = 'token-of-those-who-measure-it'

describe.each(stores)('on $name', (store) => {
  test('what has waited longest is let go where too much waits for a channel, and everybody can see it', async () => {
    await using stack = new AsyncDisposableStack()
    const opened = stack.use(await store.open())
    const logged: string[] = []
    const rig = stack.use(await openRig(opened, { mostWaiting: 6 }, ['--metrics-token', metricsToken], (line) => logged.push(line)))
    const held: ServerResponse[] = []
    let answers = false
    const receiver = stack.use(await startReceiver((response) => void (answers ? response.end() : held.push(response))))
    const { id } = await rig.channel(webhook('crowded', receiver.url))
    const count = async (state: string) => (await rig.deliveries(id)).filter((delivery) => delivery.state === state).length
    // One after another, so that each is older than the next.
    for (let index = 0; index < 12; index++) {
      await rig.alert(`alert ${index}`)
      await until('its delivery', async () => (await rig.deliveries(id)).length > index)
      if (index === 3) await until('four to be under way', () => receiver.heard.length === 4)
    }
    expect(await count('failed')).toBe(6)
    const error = 'it was let go: more than 6 deliveries waited for the channel'
    expect((await rig.deliveries(id)).filter(({ state }) => state === 'failed')).toEqual(
      Array.from({ length: 6 }, () => expect.objectContaining({ attempts: 0, next_attempt_at: null, error })),
    )
    const metrics = await fetch(`${rig.base}/metrics`, { headers: { authorization: `Bearer ${metricsToken}` } })
    expect(await metrics.text()).toContain('nxmesh_notification_deliveries_dropped_total{kind="webhook"} 6\n')
    const told = logged.map((line) => JSON.parse(line) as { channel?: string; dropped?: number }).filter(({ channel }) => channel === id)
    expect(told.reduce((sum, { dropped = 0 }) => sum + dropped, 0)).toBe(6)

    answers = true
    for (const response of held) response.end()
    await until('the others to be delivered', async () => (await count('delivered')) === 6)
    const heard = receiver.heard.map(({ body }) => (JSON.parse(body) as { data: { message: string } }).data.message)
    expect(heard.toSorted()).toEqual(['alert 0', 'alert 1', 'alert 10', 'alert 11', 'alert 2', 'alert 3'])
    expect(await unindexed(rig.master.ctx.db, rig.queries)).toEqual([])
  })
})
