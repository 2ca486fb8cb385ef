import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type Client, createClient } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'

const root = new URL('..', import.meta.url).pathname
const password = 'a password for benchmarks'

export interface Program extends AsyncDisposable {
  pid: number
}

export interface MasterProgram extends Program {
  base: string
  agentsPort: number
  directory: string
  client: Client
  workspaceId: string
}

/** Runs the master as its users do, as a process of its own on free ports, and signs in. */
export async function runMaster(directory: string): Promise<MasterProgram> {
  const args = ['--data-dir', directory, '--http', '127.0.0.1:0', '--agents', '127.0.0.1:0', '--log-level', 'warn']
  const env = { NXMESH_ADMIN_EMAIL: 'admin@nxmesh.local', NXMESH_ADMIN_PASSWORD: password }
  const program = await run('packages/master/src/main.ts', args, env, /^ready http=(\S+) agents=\S+:(\d+)/)
  const base = program.match[1]!
  const tokens = await createClient(base, () => undefined).call(routes.login, { body: { email: env.NXMESH_ADMIN_EMAIL, password } })
  const client = createClient(base, () => tokens.access_token)
  const organization_id = (await client.call(routes.listOrganizations, {})).data[0]!.id
  const workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id
  return { ...program, base, agentsPort: Number(program.match[2]), directory, client, workspaceId }
}

/** Runs a file of the agent, from source or bundled, as a process of its own. */
export async function runAgent(master: MasterProgram, directory: string, name: string, entry = 'packages/agent/src/main.ts') {
  const created = await master.client.call(routes.createAgentToken, { params: { workspace_id: master.workspaceId }, body: { name } })
  const args = ['--master', `127.0.0.1:${master.agentsPort}`, '--data-dir', directory, '--mode', 'owned']
  const program = await run(entry, args, { NXMESH_TOKEN: created.token }, /^ready /)
  return { ...program, id: created.agent_id }
}

async function run(entry: string, args: string[], env: Record<string, string>, awaited: RegExp) {
  const child = spawn(process.execPath, [join(root, entry), ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const match = await lineOf(child, entry, awaited)
  return {
    pid: child.pid!,
    match,
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}

async function lineOf(child: ChildProcess, entry: string, awaited: RegExp): Promise<RegExpMatchArray> {
  const lines = createInterface({ input: child.stdout! })
  for await (const line of lines) {
    const match = awaited.exec(line)
    if (!match) continue
    // What comes later is read and dropped, or the program would wait for room in the pipe.
    child.stdout!.resume()
    return match
  }
  throw new Error(`${entry} ended before it was ready`)
}

/** Resident memory of a process, in MB. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024
}

/** Processor time a process has used so far, in milliseconds. */
export async function processorMilliseconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
    .map(Number)
  return (user! + system!) * 10
}
