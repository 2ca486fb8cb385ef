import { execFile } from 'node:child_process'
import { readdir, readlink, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'
import { dataPaths } from '@nxmesh/agent/durable'
import { childrenOf } from '@nxmesh/agent/processes'
import { faultPoints } from '@nxmesh/agent/scope'
import { routes } from '@nxmesh/api/routes'
import type { Orders } from '@nxmesh/testkit/agent-program'
import { type Mesh, type NewAgent, startMesh } from '@nxmesh/testkit/mesh'
import { nginxPid, runs } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import type { Program } from '@nxmesh/testkit/program'
import { startAgentProgram } from '@nxmesh/testkit/programs'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
const run = promisify(execFile)
let mesh: Mesh
let made: NewAgent
let good: Site
let other: Site
let agent: Program

beforeAll(async () => {
  mesh = stack.use(await startMesh({ agents: 0 }))
  good = stack.use(await addSite(mesh, 'good'))
  other = stack.use(await addSite(mesh, 'other'))
  made = await mesh.newAgent('killed')
  await startAgent()
  stack.defer(() => agent.end('SIGKILL'))
})

afterAll(() => stack.disposeAsync())

async function startAgent(): Promise<void> {
  agent = await startAgentProgram(made.options)
  await mesh.settled(made.id)
}

const order = (orders: Orders) => agent.ask(orders)
const paths = () => dataPaths(made.dataDir)

/** Every process of the agent's nginx ends at once, as when the machine runs out of memory. */
async function killNginxAtOnce(): Promise<void> {
  const master = (await nginxPid(made.dataDir))!
  const all = [master, ...(await childrenOf(master))]
  for (const pid of all) process.kill(pid, 'SIGKILL')
  await until('nginx to be gone', async () => (await Promise.all(all.map(runs))).every((alive) => !alive))
}

async function nginx(...more: string[]): Promise<void> {
  const { runtime, current } = paths()
  await run(made.options.nginx, ['-p', `${runtime}/`, '-c', join(current, 'nginx.conf'), ...more])
}

async function change(marker: string, listen_port = other.port): Promise<void> {
  const body = { listen_port, custom_directives: { add_header: `X-Marker ${marker} always` } }
  await mesh.client.call(routes.updateVirtualHost, { params: { virtual_host_id: other.id }, body })
}

async function markerOf(): Promise<unknown> {
  return (await other.get()).headers['x-marker']
}

for (const point of faultPoints) {
  test(`killed at "${point}": the old config or the new one, and the newest after a restart`, async () => {
    const before = await markerOf()
    const takePort = point === 'restoring' || point === 'restored' ? await freePort() : undefined
    await order({ killAt: point, ...(takePort !== undefined && { takePort }) })
    const load = good.load()
    await change(point, takePort)
    await agent.ended

    // nginx goes on with what it has, and a look at it disturbs nothing.
    const now = await markerOf().catch(() => 'moved')
    expect([before, point]).toContain(now)
    const generation = basename(await readlink(paths().current))
    await run(made.options.nginx, ['-t', '-p', `${paths().runtime}/`, '-c', join(paths().generations, generation, 'test.conf')])
    expect(await load.stop()).toMatchObject({ failures: [] })

    // So does one that starts afresh from what the disk holds.
    await killNginxAtOnce()
    await rm(paths().socket, { force: true })
    await nginx()
    expect((await good.get()).body).toBe('good')

    const second = good.load()
    await startAgent()
    expect(await second.stop()).toMatchObject({ failures: [] })
    if (takePort !== undefined) {
      await change(point)
      await mesh.settled(made.id)
    }
    expect(await markerOf()).toBe(point)
    const left = await readdir(paths().generations, { recursive: true })
    const whole = left.filter((name) => !name.includes('/'))
    expect(whole.filter((name) => !left.includes(`${name}/manifest.json`))).toEqual([])
    expect(whole).toContain(basename(await readlink(paths().current)))
    const unfinished = async () => (await readdir(made.dataDir, { recursive: true })).filter((name) => name.endsWith('.tmp'))
    // A file being replaced at this moment has one too, so not the first look counts but whether they go.
    await until('nothing half-written to be left', async () => (await unfinished()).length === 0)
  })
}

test('nginx killed at once, master and workers: the agent starts it again and it serves the same', async () => {
  const before = await markerOf()
  await killNginxAtOnce()
  await until('nginx to serve again', async () => (await good.get()).body === 'good')
  expect(await markerOf()).toBe(before)
  await mesh.settled(made.id)
})

test('agent and nginx killed together: the last good config comes back with the agent', async () => {
  await change('before-both')
  await mesh.settled(made.id)
  await agent.end('SIGKILL')
  await killNginxAtOnce()
  await expect(good.get()).rejects.toThrow('ECONNREFUSED')
  await startAgent()
  expect((await good.get()).body).toBe('good')
  expect(await markerOf()).toBe('before-both')
})
