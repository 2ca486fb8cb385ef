import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdir, readFile, realpath, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { routes } from '@nxmesh/api/routes'
import { get } from '@nxmesh/testkit/get'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { percentile, spread, verdict } from './figures.ts'
import { type MasterProgram, runAgent, runMaster } from './programs.ts'

// From one PATCH to the first answer with the new content, against `nginx -t` and `nginx -s reload` by hand on the same
// rendered config with the same edit, taken in turns in one run.
const nginx = process.env['NXMESH_NGINX'] ?? '/usr/sbin/nginx'
const sizes = (process.env['SIZES'] ?? '1,100,1000').split(',').map(Number)
const rounds = 20
const limit = 1.3

for (const size of sizes) await measure(size)

async function measure(size: number): Promise<void> {
  await using directory = await scratch()
  await using master = await runMaster(join(directory.path, 'master'))
  await using cleanUp = new AsyncDisposableStack()
  cleanUp.defer(() => killNginx(join(directory.path, 'agent')))
  await using _agent = await runAgent(master, join(directory.path, 'agent'), 'bench')
  const port = await freePort()
  const host = await createHosts(master, size, port)
  await until('the first config', async () => (await get(port, 'host-0.test')).body === 'before', 120)

  await using hand = await byHand(join(directory.path, 'hand'), join(directory.path, 'agent'), port)
  const ours: number[] = []
  const theirs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const text = `round-${round}`
    ours.push(
      await timed(port, text, async () => {
        const body = { locations: locations(text) }
        await master.client.call(routes.updateVirtualHost, { params: { virtual_host_id: host }, body })
      }),
    )
    theirs.push(await timed(hand.port, text, () => hand.change(text)))
    // Old workers of the last reload must not count against the next.
    await delay(300)
  }
  console.log(`${size} virtual hosts`)
  console.log(`  change to serving: ${spread(ours)}`)
  console.log(`  nginx -t + reload by hand: ${spread(theirs)}`)
  verdict('ratio of the medians', percentile(ours, 0.5) / percentile(theirs, 0.5), limit, '×')
}

async function createHosts(master: MasterProgram, size: number, port: number): Promise<string> {
  const params = { workspace_id: master.workspaceId }
  let first = ''
  for (let index = 0; index < size; index++) {
    const upstream = await master.client.call(routes.createUpstream, {
      params,
      body: { name: `up-${index}`, servers: [{ address: '127.0.0.1:9' }] },
    })
    const api = [
      { path: '/api', upstream_id: upstream.id },
      { path: '~ ^/old/(\\d{3})$', upstream_id: upstream.id },
    ]
    const body = {
      name: `Host ${index}`,
      server_name: `host-${index}.test`,
      listen_port: port,
      locations: [...locations('before'), ...api],
    }
    const host = await master.client.call(routes.createVirtualHost, { params, body })
    if (index === 0) first = host.id
  }
  return first
}

function locations(text: string) {
  return [{ path: '/', custom_directives: { return: `200 ${text}` } }]
}

async function timed(port: number, text: string, change: () => Promise<void>): Promise<number> {
  const start = performance.now()
  const changed = change()
  for (;;) {
    const answer = await get(port, 'host-0.test').catch(() => undefined)
    if (answer?.body === text) break
    await delay(1)
  }
  const took = performance.now() - start
  await changed
  return took
}

/** The same config as the agent's present generation, on another port, under an nginx that a person would run. */
async function byHand(directory: string, agentDirectory: string, port: number) {
  const generation = await realpath(join(agentDirectory, 'current'))
  await mkdir(directory, { recursive: true })
  await cp(generation, directory, { recursive: true })
  const ownPort = await freePort()
  const runtime = /unix:(\S+)\/nginx\.sock/.exec(await readFile(join(directory, 'http.conf'), 'utf8'))?.[1] ?? ''
  for (const file of ['nginx.conf', 'http.conf']) {
    const text = (await readFile(join(directory, file), 'utf8')).replaceAll(String(port), String(ownPort)).replaceAll(runtime, directory)
    await writeFile(join(directory, file), text)
  }
  const args = ['-p', directory, '-c', join(directory, 'nginx.conf')]
  const child = spawn(nginx, [...args, '-g', 'daemon off;'], { stdio: 'ignore' })
  await until('the nginx by hand', async () => (await get(ownPort, 'host-0.test')).status === 200)
  let last = 'before'
  return {
    port: ownPort,
    async change(text: string) {
      const file = join(directory, 'http.conf')
      const before = await readFile(file, 'utf8')
      await writeFile(file, before.replace(`return 200 ${last}`, `return 200 ${text}`))
      last = text
      const run = promisify(execFile)
      await run(nginx, [...args, '-t', '-q'])
      await run(nginx, [...args, '-s', 'reload'])
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await once(child, 'exit')
    },
  }
}
