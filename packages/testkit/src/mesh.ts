import { join } from 'node:path'
import { type Agent, type AgentOptions, type Overrides as AgentOverrides, startAgent } from '@nxmesh/agent/start'
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

export interface NewAgent {
  id: string
  name: string
  dataDir: string
  options: AgentOptions & { token: string }
}

export interface Mesh extends AsyncDisposable, Omit<TestMaster, 'client'> {
  client: TestMaster['client']
  directory: string
  agents: MeshAgent[]
  /** Makes an agent and says how to start it; its nginx is ended with the mesh. */
  newAgent(name: string, settings?: AgentSettings): Promise<NewAgent>
  /** Adds an agent with an nginx of its own and waits until it is online. */
  addAgent(name: string, settings?: AgentSettings): Promise<MeshAgent>
  /** An agent as the API shows it. */
  show(id: string): Promise<AgentDetail>
  /** Waits until an agent is online and its workers serve what it should run. */
  settled(id: string, seconds?: number): Promise<AgentDetail>
}

export interface AgentSettings {
  labels?: Record<string, string>
  nginx?: string
  options?: Partial<AgentOptions>
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
  const settled = (id: string, seconds = 40) => until(`agent ${id} to serve what it should`, async () => isSettled(await show(id)), seconds)
  const mesh: Mesh = {
    ...test,
    directory,
    agents: [],
    newAgent,
    addAgent,
    show,
    settled,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  }

  async function newAgent(name: string, { labels = {}, nginx = nginxBinary(), options = {} }: AgentSettings = {}): Promise<NewAgent> {
    const body = { name, labels }
    const { agent_id, token } = await client.call(routes.createAgentToken, { params: { workspace_id: workspaceId }, body })
    const dataDir = join(directory, name)
    const master = `127.0.0.1:${test.master.agents.port}`
    const common = { master, dataDir, nginx, mode: 'owned', labels: {}, deploymentMode: 'standalone' } as const
    const made = { id: agent_id, name, options: { ...common, ...options, token } }
    stack.defer(() => killNginx(made.options.dataDir))
    return { ...made, dataDir: made.options.dataDir }
  }

  async function addAgent(name: string, settings: AgentSettings = {}): Promise<MeshAgent> {
    const { id, dataDir, options } = await newAgent(name, settings)
    const agent = stack.use(await startAgent(options, settings.overrides))
    const added = { id, name, agent, dataDir }
    mesh.agents.push(added)
    await settled(id)
    return added
  }

  for (let index = 1; index <= agents; index++) await addAgent(`agent-${index}`)
  return mesh
}

/** The agent, if it is online and its workers serve what it should run. */
export function isSettled(agent: AgentDetail): AgentDetail | false {
  const { desired, applied, serving, status } = agent.config
  const same = desired !== null && applied?.digest === desired.digest && serving?.digest === desired.digest
  return agent.state === 'online' && status === 'success' && same && agent
}
