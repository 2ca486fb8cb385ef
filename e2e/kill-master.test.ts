import { join } from 'node:path'
import { type AgentOptions, startAgent } from '@nxmesh/agent/start'
import type { Client } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { signIn } from '@nxmesh/testkit/master'
import { isSettled } from '@nxmesh/testkit/mesh'
import { killNginx, nginxBinary, nginxPid } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import type { Program } from '@nxmesh/testkit/program'
import { startMasterProgram } from '@nxmesh/testkit/programs'
import { scratch } from '@nxmesh/testkit/scratch'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
const agentIds: string[] = []
const options: AgentOptions[] = []
let master: Program
let client: Client
let workspaceId: string
let site: Site
let startMaster: () => Promise<Program>

beforeAll(async () => {
  const directory = stack.use(await scratch()).path
  const ports = { http: await freePort(), agents: await freePort() }
  startMaster = () => startMasterProgram(join(directory, 'master'), ports)
  master = await startMaster()
  stack.defer(() => master.end('SIGKILL'))
  client = await signIn(`http://127.0.0.1:${ports.http}`)
  const organization = (await client.call(routes.listOrganizations, {})).data[0]!
  workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id: organization.id } })).data[0]!.id
  for (const name of ['one', 'two']) {
    const { agent_id, token } = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name } })
    const dataDir = join(directory, name)
    const made = { master: `127.0.0.1:${ports.agents}`, token, dataDir, nginx: nginxBinary(), labels: { name } }
    agentIds.push(agent_id)
    options.push({ ...made, mode: 'owned', deploymentMode: 'standalone' })
    stack.defer(() => killNginx(dataDir))
  }
  site = stack.use(await addSite({ client, workspaceId }, 'steady'))
  const target_agents = { type: 'selector', label_selector: 'name=one' } as const
  await client.call(routes.updateVirtualHost, { params: { virtual_host_id: site.id }, body: { target_agents } })
})

afterAll(() => stack.disposeAsync())

const settled = () =>
  Promise.all(
    agentIds.map((agent_id) =>
      until('an agent to serve what it should', async () => isSettled(await client.call(routes.getAgent, { params: { agent_id } }))),
    ),
  )

test('killed in the middle of pushes, again and again: nothing that was acknowledged is lost', async () => {
  await using _one = await startAgent(options[0]!)
  await using _two = await startAgent(options[1]!)
  await settled()
  const load = site.load()
  const params = { virtual_host_id: site.id }
  let acknowledged = ''
  for (let round = 1; round <= 3; round++) {
    const end = master.ended
    const killed = new Promise((resolve) => setTimeout(resolve, 100 + Math.random() * 400)).then(() => master.end('SIGKILL'))
    let sent = ''
    for (let edit = 1; ; edit++) {
      sent = `round-${round}-${edit}`
      const body = { custom_directives: { add_header: `X-Marker ${sent} always` } }
      try {
        await client.call(routes.updateVirtualHost, { params, body })
      } catch {
        break
      }
      acknowledged = sent
    }
    await killed
    await end

    expect((await site.get()).body).toBe('steady')
    master = await startMaster()
    const { custom_directives } = await client.call(routes.getVirtualHost, { params })
    // The write that was cut off may have gone through or not; those before it have.
    const kept = custom_directives['add_header']!.split(' ')[1]!
    expect([acknowledged, sent]).toContain(kept)
    const [agent] = await settled()
    expect((await site.get()).headers['x-marker']).toBe(kept)
    expect(agent!.config.status).toBe('success')
  }
  expect(await load.stop()).toMatchObject({ failures: [] })
}, 180_000)

test('while the master is away an agent starts, serves the last good config and brings nginx back; then the master finds it', async () => {
  await master.end('SIGKILL')
  const before = (await site.get()).headers['x-marker']
  await using _one = await startAgent(options[0]!)
  await using _two = await startAgent(options[1]!)
  expect((await site.get()).headers['x-marker']).toBe(before)
  process.kill((await nginxPid(options[0]!.dataDir))!, 'SIGTERM')
  await until('nginx to be gone', async () => (await site.get().catch(() => undefined)) === undefined)
  await until('nginx to be back', async () => (await site.get()).headers['x-marker'] === before)

  master = await startMaster()
  await settled()
})

test('an agent that starts for the first time before its master does joins as soon as there is one', async () => {
  const { agent_id, token } = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name: 'early' } })
  await master.end('SIGKILL')
  const dataDir = `${options[0]!.dataDir}-early`
  await using _nginx = { [Symbol.asyncDispose]: () => killNginx(dataDir) }
  const log: string[] = []
  await using _early = await startAgent(
    { ...options[0]!, token, dataDir, labels: { name: 'early' } },
    { log: (_level, message) => log.push(message) },
  )
  await until('it to say that the master is away', () => log.some((line) => line.includes('the master cannot be joined yet')))
  await until('its nginx to run', () => nginxPid(dataDir))
  master = await startMaster()
  await until('it to be online', async () => isSettled(await client.call(routes.getAgent, { params: { agent_id } })))
})

test('a master that stops as asked ends with 0 and says nothing bad', async () => {
  await master.end('SIGTERM')
  expect(await master.ended).toBe(0)
  expect(master.output()).not.toMatch(/"level":(50|60)/)
})
