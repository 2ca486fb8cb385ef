import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { type Client, createClient } from '@nxmesh/api/client'
import { routes } from '@nxmesh/api/routes'
import { accessToken, administrator, unlimited } from '@nxmesh/testkit/master'

const root = new URL('..', import.meta.url).pathname

export interface Program extends AsyncDisposable {
  pid: number
}

export interface MasterProgram extends Program {
  base: string
  agentsPort: number
  directory: string
  /** The access token that `client` sends. */
  token: string
  client: Client
  workspaceId: string
}

/** Runs the master as its users do, as a process of its own on free ports, and signs in. */
export async function runMaster(directory: string, settings: string[] = []): Promise<MasterProgram> {
  const addresses = ['--http', '127.0.0.1:0', '--agents', '127.0.0.1:0']
  const args = ['--data-dir', directory, ...addresses, '--log-level', 'warn', ...unlimited, ...settings]
  const env = { NXMESH_ADMIN_EMAIL: administrator.email, NXMESH_ADMIN_PASSWORD: administrator.password }
  const program = await run('packages/master/src/main.ts', args, env, /^ready http=(\S+) agents=\S+:(\d+)/)
  const base = program.match[1]!
  const token = await accessToken(base)
  const client = createClient(base, () => token)
  const organization_id = (await client.call(routes.listOrganizations, {})).data[0]!.id
  const workspaceId = (await client.call(routes.listWorkspaces, { params: { organization_id } })).data[0]!.id
  return { ...program, base, agentsPort: Number(program.match[2]), directory, token, client, workspaceId }
}

/** Runs a file of the agent, from source or bundled, as a process of its own. */
export async function runAgent(master: MasterProgram, directory: string, name: string, entry = 'packages/agent/src/main.ts') {
  const created = await master.client.call(routes.createAgentToken, { params: { workspace_id: master.workspaceId }, body: { name } })
  const args = ['--master', `127.0.0.1:${master.agentsPort}`, '--data-dir', directory, '--mode', 'owned']
  const program = await run(entry, args, { NXMESH_TOKEN: created.token }, /^ready /)
  return { ...program, id: created.agent_id }
}

/** Runs a bare Fastify program that sends these answers. */
export async function runBareRoute(answers: { one: object; page: object }) {
  const entry = new URL('bare-route.ts', import.meta.url).pathname
  const program = await run(entry, [], { ANSWERS: JSON.stringify(answers) }, /^ready (\S+)/)
  return { ...program, base: program.match[1]! }
}

/** Runs a receiver of OTLP that takes everything. */
export async function runOtlpReceiver() {
  const program = await run(new URL('otlp-receiver-process.ts', import.meta.url).pathname, [], {}, /^ready (\d+)/)
  const url = `http://127.0.0.1:${program.match[1]}`
  const counts = async () => (await (await fetch(url)).json()) as { requests: number; bytes: number; lastAt: number }
  return {
    ...program,
    url,
    counts,
    /** What it has once nothing has come for three seconds. */
    async quiet() {
      for (const asked = Date.now(); ; ) {
        const now = await counts()
        if (Date.now() - Math.max(asked, now.lastAt) > 3000) return now
        await delay(500)
      }
    },
  }
}

async function run(entry: string, args: string[], env: Record<string, string>, awaited: RegExp) {
  const child = spawn(process.execPath, [resolve(root, entry), ...args], {
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

/** Processor time the threads of a process have used so far, in milliseconds. */
export async function processorMilliseconds(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`)
  // Its first number is in nanoseconds, where those of /proc/<pid>/stat count hundredths of a second.
  const times = await Promise.all(
    threads.map(async (thread) => parseInt(await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8'), 10)),
  )
  return times.reduce((sum, time) => sum + time, 0) / 1e6
}
