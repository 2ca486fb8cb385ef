import { join } from 'node:path'
import { routes } from '@nxmesh/api/routes'
import { startCuttable } from '@nxmesh/testkit/cuttable'
import { signIn } from '@nxmesh/testkit/master'
import { isSettled } from '@nxmesh/testkit/mesh'
import { killNginx, nginxBinary } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { startAgentProgram, startMasterProgram } from '@nxmesh/testkit/programs'
import { requestTimes } from '@nxmesh/testkit/requests'
import { scratch } from '@nxmesh/testkit/scratch'
import { addHost, arrived, each, metricsOf } from '@nxmesh/testkit/traffic'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const env = { NXMESH_TEST_TELEMETRY: JSON.stringify({ lookEvery: 50, measureEvery: 100, rotateAt: 50_000 }) }

test('each request arrives once, whatever is killed or cut while they are served', async () => {
  await using stack = new AsyncDisposableStack()
  const directory = stack.use(await scratch()).path
  const ports = { http: await freePort(), agents: await freePort() }
  const startMaster = () => startMasterProgram(join(directory, 'master'), ports)
  let master = await startMaster()
  stack.defer(() => master.end('SIGKILL'))
  const line = stack.use(await startCuttable(ports.agents))
  const client = await signIn(`http://127.0.0.1:${ports.http}`)
  const organization = (await client.call(routes.listOrganizations, {})).data[0]!
  const workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id: organization.id } })).data[0]!.id
  const place = { client, workspaceId }
  const made = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'killed' } })
  const dataDir = join(directory, 'agent')
  const common = { dataDir, nginx: nginxBinary(), labels: {}, mode: 'owned', deploymentMode: 'standalone' } as const
  const startAgent = () => startAgentProgram({ ...common, master: `127.0.0.1:${line.port}`, token: made.token }, { env })
  stack.defer(() => killNginx(dataDir))
  let agent = await startAgent()
  stack.defer(() => agent.end('SIGKILL'))
  const host = await addHost(place, 'killed')
  const show = () => client.call(routes.getAgent, { params: { agent_id: made.agent_id } })
  const settled = () => until('the agent to serve', async () => isSettled(await show()))
  await settled()

  const perRound = 400
  let sent = 0
  const during = async (disturb: () => Promise<unknown>) => {
    const served = requestTimes(host.port, host.name, perRound)
    await disturb()
    expect(await served).toEqual({ 200: perRound })
    sent += perRound
  }
  const someHaveArrived = async () => {
    const { requests_total } = await metricsOf(place)
    await requestTimes(host.port, host.name, 1)
    sent++
    await until('more to arrive', async () => (await metricsOf(place)).requests_total > requests_total)
  }
  for (let round = 1; round <= 2; round++) {
    await during(async () => {
      await someHaveArrived()
      await agent.end('SIGKILL')
    })
    agent = await startAgent()
    await during(async () => {
      await someHaveArrived()
      await master.end('SIGKILL')
    })
    master = await startMaster()
    await settled()
    await during(async () => {
      await someHaveArrived()
      line.cut()
    })
    line.reset()
    line.mend()
    await settled()
  }
  expect(await arrived(place, sent)).toEqual(each(sent))

  const cutAt = Date.now()
  line.cut()
  await during(() => until('the master to give the agent up', async () => (await show()).state === 'offline', 60))
  await during(() => until('a minute to be over', () => Date.now() - cutAt > 60_000, 70))
  line.reset()
  line.mend()
  await settled()
  expect(await arrived(place, sent)).toEqual(each(sent))
}, 300_000)
