import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { startCuttable } from '@nxmesh/testkit/cuttable'
import { startTestMaster, type TestMaster } from '@nxmesh/testkit/master'
import { isSettled } from '@nxmesh/testkit/mesh'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { startPostgres } from '@nxmesh/testkit/postgres'
import { requestTimes } from '@nxmesh/testkit/requests'
import { scratch } from '@nxmesh/testkit/scratch'
import { addHost, metricsOf } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

test('each of two masters tells of what an agent served while it was connected there, and what it counted before is not counted again', async () => {
  await using stack = new AsyncDisposableStack()
  const postgres = stack.use(await startPostgres())
  const directory = stack.use(await scratch()).path
  const keyFile = join(directory, 'secret.key')
  await writeFile(keyFile, randomBytes(32).toString('base64'), { mode: 0o600 })
  const settings = ['--database', await postgres.createDatabase(), '--secret-key-file', keyFile, '--heartbeat-interval', '1']
  const start = (name: string) => startTestMaster(join(directory, name), settings)
  const [one, two] = [stack.use(await start('one')), stack.use(await start('two'))]
  const line = stack.use(await startCuttable(one.master.agents.port))
  const params = { workspace_id: one.workspaceId }
  const { agent_id, token } = await one.client.call(routes.createAgentToken, { params, body: { name: 'moving' } })
  const dataDir = join(directory, 'agent')
  const common = { dataDir, nginx: nginxBinary(), labels: {}, mode: 'owned', deploymentMode: 'standalone' } as const
  stack.defer(() => killNginx(dataDir))
  const quick = { lookEvery: 50, measureEvery: 100 }
  stack.use(await startAgent({ ...common, master: `127.0.0.1:${line.port}`, token }, { telemetry: quick }))
  const host = await addHost(one, 'moved')
  const show = () => two.client.call(routes.getAgent, { params: { agent_id } })
  await until('the agent to serve', async () => isSettled(await show()))

  const masterOf = async () =>
    (await one.master.ctx.db.selectFrom('agents').select('master_id').where('id', '=', agent_id).executeTakeFirstOrThrow()).master_id
  const moveTo = async ({ master }: TestMaster) => {
    line.lead(master.agents.port)
    line.reset()
    await until('the agent to be there', async () => (await masterOf()) === master.ctx.masterId)
    const { settled } = master.ctx.telemetry.status()
    await until('its counters to be known', () => master.ctx.telemetry.status().settled > settled + 1)
  }
  const requests = async (number: number, path: string) => {
    await requestTimes(host.port, host.name, number, () => path)
  }
  const told = async (place: TestMaster) => {
    const { status_codes } = await metricsOf(place)
    const logs = await place.client.call(routes.listAccessLogs, { params, query: {} })
    return [status_codes['2xx'], status_codes['4xx'], status_codes['5xx'], logs.meta.total]
  }
  const tells = (place: TestMaster, expected: number[]) =>
    until(`${expected.join()} to be told`, async () => (await told(place)).join() === expected.join())

  await requests(30, '/')
  await requests(20, '/gone')
  await requests(10, '/broken')
  await tells(one, [30, 20, 10, 60])
  await moveTo(two)
  await requests(5, '/')
  await tells(two, [5, 0, 0, 5])
  // What had not changed for a while before the agent came here.
  await requests(1, '/broken')
  await tells(two, [5, 0, 1, 6])
  expect(await told(one)).toEqual([30, 20, 10, 60])

  await moveTo(one)
  await requests(1, '/gone')
  // The counters tell what was served elsewhere, and the lines of it are there.
  await tells(one, [35, 21, 11, 61])
  expect(await told(two)).toEqual([5, 0, 1, 6])
})
