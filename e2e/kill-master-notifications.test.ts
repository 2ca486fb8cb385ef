import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { signIn } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import { startReceiver } from '../packages/master/tests/notifications/receiver.ts'

test('what happened reaches a webhook, whenever the master is killed', async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const ports = { http: await freePort(), agents: await freePort() }
  const start = () => startMasterProgram(join(directory, 'master'), ports, ['--outbound-networks', '127.0.0.1'])
  let master = await start()
  stack.defer(() => master.end('SIGKILL'))
  const client = await signIn(`http://127.0.0.1:${ports.http}`)
  const { id: organization_id } = (await client.call(routes.listOrganizations, {})).data[0]!
  const params = { workspace_id: (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id }
  // Some are never answered: these are under way when the master dies.
  const receiver = stack.use(await startReceiver((response, count) => void (count % 5 > 0 && response.end())))
  const body = { kind: 'webhook' as const, name: 'killed', url: receiver.url, events: ['upstream.created'] }
  const channel = await client.call(routes.createNotificationChannel, { params, body })

  const created: string[] = []
  for (let round = 1; round <= 3; round++) {
    const heard = receiver.heard.length
    const killed = until('some to be sent', () => receiver.heard.length > heard + 5).then(() => master.end('SIGKILL'))
    for (let index = 0; ; index++) {
      const name = `web-${round}-${index}`
      const made = client.call(routes.createUpstream, { params, body: { name, servers: [{ address: '10.0.0.1:80' }] } })
      const answered = await made.catch(() => undefined)
      if (!answered) break
      created.push(answered.id)
    }
    await killed
    master = await start()
  }

  const delivered = () => new Set(receiver.heard.map(({ body: text }) => JSON.parse(text).data.upstream_id as string))
  // Those that were under way are taken up once it is certain that nobody tries them: after a minute.
  await until('all of them to have arrived', () => created.every((id) => delivered().has(id)), 90)
  const ids = new Map<string, Set<unknown>>()
  for (const { headers, body: text } of receiver.heard) {
    const { upstream_id } = JSON.parse(text).data
    ids.set(upstream_id, (ids.get(upstream_id) ?? new Set()).add(headers['webhook-id']))
  }
  expect([...ids.values()].filter(({ size }) => size !== 1)).toEqual([])
  expect(receiver.heard.length).toBeGreaterThan(created.length)
  const list = { params: { notification_channel_id: channel.id }, query: { state: 'failed' as const } }
  expect((await client.call(routes.listNotificationDeliveries, list)).data).toEqual([])
}, 240_000)
