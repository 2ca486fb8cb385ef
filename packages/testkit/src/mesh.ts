import { join } from 'node:path'
import { type Agent, type Overrides as AgentOverrides, startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import type { Overrides } from '@nxmesh/master/start'
import type { AgentDetail } from '@nxmesh/model/agent'
import { startTestMaster, type TestMaster } from './master.ts'
import { killNginx, nginxBinary } from './nginx.ts'
import { scratch } from './scratch.ts'
import { until } from './until.ts'

export interface MeshAgent {
  id: string
  name: string
  agent: Agent
  dataDir: string
}

export interface Mesh extends AsyncDisposable, Omit<TestMaster, 'client'> {
  client: TestMaster['client']
  directory: string
  agents: MeshAgent[]
  /** Adds an agent with an nginx of its own and waits until it is online. */
  addAgent(name: string, options?: AgentSettings): Promise<MeshAgent>
  /** An agent as the API shows it. */
  show(id: string): Promise<AgentDetail>
  /** Waits until an agent is online and its workers serve what it should run. */
  settled(id: string, seconds?: number): Promise<AgentDetail>
}

export interface AgentSettings {
  labels?: Record<string, string>
  nginx?: string
  overrides?: AgentOverrides
}

export interface MeshOptions {
  agents?: number
  settings?: string[]
  overrides?: Overrides
}

/** Starts the real master and real agents, each with a real nginx of its own, in one process and on free ports. */
export async function startMesh(options: MeshOptions = {}): Promise<Mesh> {
  const stack = new AsyncDisposableStack()
  try {
    return await openMesh(stack, options)
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}

async function openMesh(stack: AsyncDisposableStack, { agents = 1, settings = [], overrides = {} }: MeshOptions): Promise<Mesh> {
  const directory = stack.use(await scratch()).path
  const test = stack.use(await startTestMaster(join(directory, 'master'), ['--heartbeat-interval', '1', ...settings], overrides))
  const { client, workspaceId } = test
  const show = (id: string) => client.call(routes.getAgent, { params: { agent_id: id } })
  const settled = (id: string, seconds = 60) => until(`agent ${id} to serve what it should`, async () => isSettled(await show(id)), seconds)
  const mesh: Mesh = { ...test, directory, agents: [], addAgent, show, settled, [Symbol.asyncDispose]: () => stack.disposeAsync() }

  async function addAgent(name: string, { labels = {}, nginx = nginxBinary(), overrides: inAgent = {} }: AgentSettings = {}) {
    const created = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body: { name, labels } })
    const dataDir = join(directory, name)
    const master = `127.0.0.1:${test.master.agents.port}`
    const options = { master, token: created.token, dataDir, nginx, mode: 'owned', labels: {}, deploymentMode: 'standalone' } as const
    stack.defer(() => killNginx(dataDir))
    const agent = stack.use(await startAgent(options, inAgent))
    const added = { id: created.agent_id, name, agent, dataDir }
    mesh.agents.push(added)
    await settled(added.id)
    return added
  }

  for (let index = 1; index <= agents; index++) await addAgent(`agent-${index}`)
  return mesh
}

function isSettled(agent: AgentDetail): AgentDetail | false {
  const { desired, applied, serving } = agent.config
  const same = desired !== null && applied?.digest === desired.digest && serving?.digest === desired.digest
  return agent.state === 'online' && same && agent
}
