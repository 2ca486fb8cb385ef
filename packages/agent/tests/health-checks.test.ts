import { readFile } from 'node:fs/promises'
import { createServer, type ServerHttp2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { type UpstreamInput, upstreamInput } from '@nxmesh/model/upstream'
import { type Backend, startBackend } from '@nxmesh/testkit/backend'
import { freePort } from '@nxmesh/testkit/ports'
import { describe, expect, test } from 'vitest'
import { reloadNginx } from '../src/nginx.ts'
import type { Agent } from '../src/start.ts'
import { applyOn, ask, type Bench, desired, distinctBinaries, errorLogOf, host, mastersOf, openBench, startOn, until } from './testing.ts'

const upstreamId = '00000000-0000-7000-8002-000000000001'

function balanced(
  port: number,
  backends: readonly { address: string; backup?: boolean }[],
  more: Partial<UpstreamInput> = {},
): Partial<AgentConfig> {
  const check = { enabled: true, path: '/health', interval: 1, timeout: 1, healthy_threshold: 2, unhealthy_threshold: 2 }
  const servers = backends.map(({ address, backup = false }) => ({ address, backup }))
  const upstream = { ...upstreamInput.parse({ name: 'checked', servers, health_check: check }), ...more, id: upstreamId }
  const location = { path: '/', upstream_id: upstreamId, custom_headers: [], rewrite_rules: [], custom_directives: {} }
  return { upstreams: [upstream], virtual_hosts: [host(port, { locations: [location] })] }
}

async function rotation(agent: Agent): Promise<Record<string, boolean>> {
  return Object.fromEntries((await agent.health()).servers.map(({ address, in_rotation }) => [address, in_rotation]))
}

async function state(agent: Agent, backend: Backend) {
  const found = (await agent.health()).servers.find(({ address }) => address === backend.address)
  if (!found) throw new Error(`${backend.name} is not probed`)
  return found
}

/** Which backends answer, out of many requests. */
async function answering(port: number, requests = 30): Promise<string[]> {
  const answers = await Promise.all(Array.from({ length: requests }, () => Promise.race([ask(port), delay(1000, 'nothing')])))
  return [...new Set(answers)].sort()
}

/** A server of HTTP/2 without TLS, as those of gRPC are. */
async function startHttp2(name: string): Promise<AsyncDisposable & { address: string }> {
  const server = createServer()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' })
    stream.end(name)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      if (server.listening) await new Promise((resolve) => server.close(resolve))
    },
  }
}

const generationOf = (agent: Agent) => agent.state.good?.generation

const httpConf = (bench: Bench) => readFile(join(bench.data, 'current/http.conf'), 'utf8')

async function startThree(): Promise<AsyncDisposableStack & { all: [Backend, Backend, Backend] }> {
  const stack = new AsyncDisposableStack()
  const all = (await Promise.all(['a', 'b', 'c'].map((name) => startBackend(name)))) as [Backend, Backend, Backend]
  for (const backend of all) stack.use(backend)
  return Object.assign(stack, { all })
}

// The one of this machine comes first, and counts where no other was brought.
const [own, ...brought] = distinctBinaries()
const versions = brought.length > 0 ? brought : own ? [own] : []
const oldestAndNewest = versions.filter((_, at) => at === 0 || at === versions.length - 1)

describe.each(oldestAndNewest)('health checks on nginx $label', ({ path }) => {
  test.each(['killed', 'hanging', 'broken', 'slow'] as const)(
    'a server that is %s gets no requests until it does well again',
    async (trouble) => {
      await using bench = await openBench()
      await using three = await startThree()
      const [a, b, c] = three.all
      const port = await freePort()
      await using agent = await startOn(bench, { nginx: path })
      const config = desired(1, balanced(port, three.all))
      expect((await applyOn(agent, bench, config)).status).toBe('success')
      await until('all are up', async () => (await agent.health()).servers.filter((server) => server.state === 'up').length === 3)
      await until('all answer', async () => (await answering(port)).length === 3)
      const before = generationOf(agent)

      if (trouble === 'killed') await b.kill()
      else if (trouble === 'hanging') b.hang()
      else await b.become(trouble)
      await until('it is down and out', async () => {
        const { state: now, in_rotation } = await state(agent, b)
        return now === 'down' && !in_rotation
      })
      await until('nginx leaves it out', async () => (await answering(port)).join() === 'a,c')
      expect((await state(agent, b)).last_error).not.toBe('')
      expect(await rotation(agent)).toEqual({ [a.address]: true, [b.address]: false, [c.address]: true })
      const health = await agent.health()
      expect(health.applied.digest).toBe(config.digest)
      expect(health.serving_digest).toBe(config.digest)
      expect(health.drift).toEqual([])
      const byName = (await httpConf(bench)).includes(' resolve')
      if (byName) expect(generationOf(agent)).toBe(before)
      else expect(await httpConf(bench)).toContain(`server ${b.address} down;`)

      if (trouble === 'killed' || trouble === 'hanging') await b.revive()
      else await b.become('well')
      await until('it is up again', async () => (await rotation(agent))[b.address])
      await until('it answers again', async () => (await answering(port)).join() === 'a,b,c')
      if (byName) expect(generationOf(agent)).toBe(before)
      else expect(await httpConf(bench)).not.toContain('down;')
    },
  )

  test('servers that all fail keep their requests, and so does the last one', async () => {
    await using bench = await openBench()
    await using three = await startThree()
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(agent, bench, desired(1, balanced(port, three.all)))
    const [a, b, c] = three.all
    await until('all are up', async () => (await agent.health()).servers.filter((server) => server.state === 'up').length === 3)
    await Promise.all([a.become('broken'), b.become('broken')])
    await until('two are out', async () => (await answering(port)).join() === 'c')
    await c.become('broken')
    await until('the third is down', async () => (await state(agent, c)).state === 'down')
    await until('all answer all the same', async () => (await answering(port)).join() === 'a,b,c')
    await until('that is told', async () => Object.values(await rotation(agent)).join() === 'true,true,true')
    await a.become('well')
    await until('the one that recovers takes all', async () => (await answering(port)).join() === 'a')
  })

  test('servers that are spoken to by gRPC need not speak HTTP/1.1', async () => {
    await using bench = await openBench()
    await using stack = new AsyncDisposableStack()
    const [a, b] = await Promise.all(['a', 'b'].map((name) => startHttp2(name)))
    stack.use(a!)
    stack.use(b!)
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    const config = balanced(port, [a!, b!])
    const [site] = config.virtual_hosts!
    const locations = site!.locations.map((location) => ({ ...location, upstream_protocol: 'grpc' as const }))
    expect((await applyOn(agent, bench, desired(1, { ...config, virtual_hosts: [{ ...site!, locations }] }))).status).toBe('success')
    const states = async () => (await agent.health()).servers.map(({ state }) => state).join()
    await until('both have been tried', async () => /^(up|down),(up|down)$/.test(await states()))
    expect(await states()).toBe('up,up')
    await until('both answer', async () => (await answering(port)).join() === 'a,b')
    await b![Symbol.asyncDispose]()
    await until('the one that is gone is out', async () => (await rotation(agent))[b!.address] === false)
    await until('nginx leaves it out', async () => (await answering(port)).join() === 'a')
  })

  test('an agent that is killed leaves the marks, and takes them up again', async () => {
    await using bench = await openBench()
    await using three = await startThree()
    const [, b] = three.all
    const port = await freePort()
    {
      await using agent = await startOn(bench, { nginx: path })
      await applyOn(agent, bench, desired(1, balanced(port, three.all)))
      await until('all are up', async () => (await agent.health()).servers.filter((server) => server.state === 'up').length === 3)
      await b.become('broken')
      await until('it is out', async () => (await answering(port)).join() === 'a,c')
      // No question of nginx stayed open, not even its first one.
      expect(await errorLogOf(bench)).not.toContain('could not be resolved')
    }
    expect(await answering(port)).toEqual(['a', 'c'])
    const [master] = await mastersOf(bench.directory)
    reloadNginx(master!)
    await until('the reload is done', async () => (await answering(port)).join() === 'a,c')
    await using agent = await startOn(bench, { nginx: path })
    await until('it is known', () => state(agent, b))
    expect(await state(agent, b)).toMatchObject({ state: 'down', in_rotation: false })
    expect(await answering(port)).toEqual(['a', 'c'])
    await b.become('well')
    await until('it is back', async () => (await answering(port)).join() === 'a,b,c')
  })

  test('nginx starts and serves while the agent is away', async () => {
    await using bench = await openBench()
    await using three = await startThree()
    const port = await freePort()
    {
      await using agent = await startOn(bench, { nginx: path })
      await applyOn(agent, bench, desired(1, balanced(port, three.all)))
    }
    const { spawnSync } = await import('node:child_process')
    const [master] = await mastersOf(bench.directory)
    process.kill(master!, 'SIGTERM')
    await until('nginx is gone', async () => (await mastersOf(bench.directory)).length === 0)
    const started = spawnSync(path, ['-p', `${bench.data}/current/`, '-c', join(bench.data, 'current/nginx.conf')], { stdio: 'ignore' })
    expect(started.status).toBe(0)
    await until('all answer', async () => (await answering(port)).join() === 'a,b,c')
    expect(await errorLogOf(bench)).not.toContain('[emerg]')
  })

  test('what it cannot answer for is marked in the files: ip_hash, backup servers, sockets', async () => {
    await using bench = await openBench()
    await using three = await startThree()
    const [a, b, c] = three.all
    await using d = await startBackend('d', join(bench.directory, 'd.sock'))
    const port = await freePort()
    await using agent = await startOn(bench, { nginx: path })
    await applyOn(
      agent,
      bench,
      desired(1, balanced(port, [a, d, { address: b.address, backup: true }, { address: c.address, backup: true }])),
    )
    await until('all are up', async () => (await agent.health()).servers.filter((server) => server.state === 'up').length === 4)
    await d.kill()
    await until('the socket is out', async () => (await answering(port)).join() === 'a')
    await a.become('broken')
    await until('the backup servers take over', async () => (await answering(port)).join() === 'b,c')
    await applyOn(agent, bench, desired(2, balanced(port, three.all, { algorithm: 'ip_hash' })))
    await until('a is left out there too', async () => (await rotation(agent))[a.address] === false)
    await until('its clients have another server', async () => !(await answering(port)).includes('a'))
    expect(await httpConf(bench)).toContain(`server ${a.address} down;`)
  })
})
