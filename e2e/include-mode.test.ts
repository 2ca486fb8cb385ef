import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { startAgent } from '@nxmesh/agent/start'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { startLoad } from '@nxmesh/testkit/load'
import { type Mesh, type NewAgent, startMesh } from '@nxmesh/testkit/mesh'
import { nginxBinary, runs } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { addSite, type Site } from '@nxmesh/testkit/site'
import { until } from '@nxmesh/testkit/until'
import { afterAll, beforeAll, expect, test } from 'vitest'

const stack = new AsyncDisposableStack()
const run = promisify(execFile)
let mesh: Mesh
let made: NewAgent
let site: Site
let port: number
let conf: string
let pidFile: string

const hostPid = async () => Number(await readFile(pidFile, 'utf8').catch(() => '0'))
const hostConf = (include = '') => `pid ${pidFile};
error_log ${pidFile}.log;
events {}
http {
  access_log off;
  server {
    listen ${port};
    server_name own.test;
    location / { return 200 "the host's own"; }
  }
  ${include}
}
`

async function startHost(): Promise<void> {
  await run(nginxBinary(), ['-c', conf])
  await until('the host’s nginx to answer', async () => (await get(port, 'own.test')).status === 200)
}

async function stopHost(): Promise<void> {
  const pid = await hostPid()
  if (pid > 0 && (await runs(pid))) process.kill(pid, 'SIGTERM')
  await until('the host’s nginx to end', async () => pid === 0 || !(await runs(pid)))
}

beforeAll(async () => {
  const directory = stack.use(await scratch()).path
  conf = join(directory, 'nginx.conf')
  pidFile = join(directory, 'host.pid')
  port = await freePort()
  await writeFile(conf, hostConf())
  stack.defer(stopHost)
  await startHost()
  mesh = stack.use(await startMesh({ agents: 0 }))
  site = stack.use(await addSite(mesh, 'ours'))
  made = await mesh.newAgent('beside', { options: { mode: 'include', nginxConf: conf } })
  stack.use(await startAgent(made.options))
})

afterAll(() => stack.disposeAsync())

const load = () => startLoad(port, 'own.test', (body) => body === "the host's own", 2)
const line = () => `include ${join(made.dataDir, 'current', 'http.conf')};`

test('without our include line the agent says which line to add, and touches nothing', async () => {
  const pid = await hostPid()
  const agent = await until('the agent to be degraded', async () => {
    const shown = await mesh.show(made.id)
    return shown.state === 'degraded' && shown
  })
  expect(agent.state_reason).toContain(`${conf} does not include the agent's config yet: add the line "${line()}"`)
  expect(await readFile(conf, 'utf8')).toBe(hostConf())
  expect(await hostPid()).toBe(pid)
})

test('with the line, ours is served beside the host’s own by the same nginx, whose file stays as it is', async () => {
  const pid = await hostPid()
  const requests = load()
  await writeFile(conf, hostConf(line()))
  await mesh.settled(made.id)
  expect((await site.get()).body).toBe('ours')
  expect((await get(port, 'own.test')).body).toBe("the host's own")
  expect(await requests.stop()).toMatchObject({ failures: [] })
  expect(await readFile(conf, 'utf8')).toBe(hostConf(line()))
  expect(await hostPid()).toBe(pid)
  expect((await mesh.show(made.id)).health).toMatchObject({ nginx_status: 'running', nginx_pid: pid })
})

test('the master shows the one file that is ours, as it is on the disk', async () => {
  const shown = await until('the agent to say what it wrote', async () => {
    const answer = await mesh.client.call(routes.getAgentConfig, { params: { agent_id: made.id } })
    return answer.applied?.matches_agent === true && answer
  })
  expect(shown.nginx!.mode).toBe('include')
  const [file, ...others] = shown.applied!.files!
  expect(others).toEqual([])
  expect(file!.content).toBe(await readFile(join(made.dataDir, 'current', file!.path), 'utf8'))
})

test('a broken change is refused with the host’s own site at no failed request', async () => {
  const requests = load()
  const params = { virtual_host_id: site.id }
  const before = await mesh.settled(made.id)
  await mesh.client.call(routes.updateVirtualHost, { params, body: { custom_directives: { proxy_read_timeout: 'banana' } } })
  const agent = await until('the agent to be degraded', async () => {
    const shown = await mesh.show(made.id)
    return shown.state === 'degraded' && shown.config.status === 'failed' && shown
  })
  expect(agent.state_reason).toContain('"proxy_read_timeout" directive invalid value')
  expect(agent.config).toMatchObject({ applied: before.config.applied, serving: before.config.applied })
  const place = { kind: 'virtual_host', id: site.id, field: 'custom_directives.proxy_read_timeout' }
  expect(agent.config.findings).toContainEqual(expect.objectContaining(place))
  expect((await site.get()).body).toBe('ours')
  await mesh.client.call(routes.updateVirtualHost, { params, body: { custom_directives: { proxy_read_timeout: null } } })
  await mesh.settled(made.id)
  expect(await requests.stop()).toMatchObject({ failures: [] })
})

test('a mistake in the host’s own file is told as the host’s, and heals by itself', async () => {
  const params = { virtual_host_id: site.id }
  await writeFile(conf, hostConf(`${line()} banana on;`))
  await mesh.client.call(routes.updateVirtualHost, { params, body: { custom_directives: { add_header: 'X-Marker new always' } } })
  const agent = await until('the agent to be degraded', async () => {
    const shown = await mesh.show(made.id)
    return shown.state === 'degraded' && shown
  })
  expect(agent.state_reason).toContain('unknown directive')
  // What nginx quotes from a file that is not ours stays on that machine; the place says enough.
  expect(agent.config.findings).toMatchObject([{ file: conf, line: 11 }])
  expect((await site.get()).body).toBe('ours')
  await writeFile(conf, hostConf(line()))
  await mesh.settled(made.id)
  expect((await site.get()).headers['x-marker']).toBe('new')
})

test('the host may stop and start its nginx: ours comes back with it', async () => {
  await stopHost()
  await until('the agent to tell', async () => (await mesh.show(made.id)).state === 'degraded')
  await startHost()
  expect((await site.get()).body).toBe('ours')
  await mesh.settled(made.id)
  expect((await mesh.show(made.id)).health?.nginx_pid).toBe(await hostPid())
})
