import type { AgentOptions } from '@nxmesh/agent/start'
import { administrator, unlimited } from './master.ts'
import { type Program, type Surroundings, startProgram } from './program.ts'

const agentFile = new URL('agent-program.ts', import.meta.url).pathname
const masterFile = new URL('../../master/src/main.ts', import.meta.url).pathname

/** Starts an agent as a process of its own, which takes orders of `agent-program.ts`. */
export function startAgentProgram(options: AgentOptions, { env = {}, ...more }: Surroundings = {}): Promise<Program> {
  return startProgram(agentFile, [], { ...more, env: { ...env, NXMESH_TEST_AGENT: JSON.stringify(options) } })
}

/** Starts the master as a process of its own on ports that stay the same when it is started again. */
export function startMasterProgram(
  directory: string,
  ports: { http: number; agents: number },
  settings: string[] = [],
  { env = {}, ...more }: Surroundings = {},
): Promise<Program> {
  const addresses = ['--http', `127.0.0.1:${ports.http}`, '--agents', `127.0.0.1:${ports.agents}`]
  const own = { NXMESH_ADMIN_EMAIL: administrator.email, NXMESH_ADMIN_PASSWORD: administrator.password }
  const args = ['--data-dir', directory, ...addresses, '--heartbeat-interval', '1', '--log-level', 'warn', ...unlimited, ...settings]
  return startProgram(masterFile, args, { ...more, env: { ...own, ...env } })
}
