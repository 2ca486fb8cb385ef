import { type ChildProcess, spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'

const script = join(import.meta.dirname, '..', 'scripts', 'start.mjs')

test('npm start serves a sign-in and an agent that is online, comes back after a kill, and leaves nothing behind', async () => {
  await using folder = await scratch()
  // A path with a space, as people have.
  const dataDir = join(folder.path, 'my data')
  const http = `127.0.0.1:${await freePort()}`
  const env = { ...process.env, NXMESH_DATA_DIR: dataDir, NXMESH_HTTP: http, NXMESH_AGENTS: `127.0.0.1:${await freePort()}` }
  const running: ChildProcess[] = []
  const start = async () => {
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    running.push(child)
    let output = ''
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk))
    await until('the words of welcome', () => {
      if (child.exitCode !== null) throw new Error(output)
      return output.includes('Ctrl-C stops everything')
    })
    return { child, output }
  }
  try {
    const first = await start()
    const password = /^Password +(\S+)/m.exec(first.output)?.[1]
    expect(password).toBeDefined()
    expect(await states(http, password!)).toEqual(['local online'])

    first.child.kill('SIGKILL')
    await ended(first.child)
    const second = await start()
    expect(second.output).toContain('Ending what an earlier start left running')
    await until('the agent to be back', async () => (await states(http, password!)).join() === 'local online')

    second.child.kill('SIGINT')
    expect(await ended(second.child)).toBe(0)
    await until('every process to be gone', async () => (await processesOn(dataDir)).length === 0)
  } finally {
    for (const child of running) {
      child.kill('SIGINT')
      await ended(child)
    }
    for (const pid of await processesOn(dataDir)) process.kill(pid, 'SIGKILL')
  }
})

function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode)
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)))
}

/** Name and state of each agent of the first workspace, asked for as the first administrator. */
async function states(http: string, password: string): Promise<string[]> {
  const call = async (path: string, init?: RequestInit) => (await (await fetch(`http://${http}/v1${path}`, init)).json()) as Answer
  const body = JSON.stringify({ email: 'admin@nxmesh.local', password })
  const { access_token } = await call('/auth/login', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  const headers = { authorization: `Bearer ${access_token}` }
  const organization = (await call('/organizations', { headers })).data[0]!
  const workspace = (await call(`/organizations/${organization.id}/workspaces`, { headers })).data[0]!
  return (await call(`/workspaces/${workspace.id}/agents`, { headers })).data.map((agent) => `${agent.name} ${agent.state}`)
}

interface Answer {
  access_token: string
  data: { id: string; name: string; state: string }[]
}

/** The processes that have a directory in their command line and are not zombies. */
async function processesOn(dataDir: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    const pid = Number(name)
    if (!pid) continue
    const [commandLine, stat] = await Promise.all(
      ['cmdline', 'stat'].map((file) => readFile(`/proc/${pid}/${file}`, 'latin1').catch(() => '')),
    )
    if (commandLine!.includes(dataDir) && !/\) Z /.test(stat!)) found.push(pid)
  }
  return found
}
