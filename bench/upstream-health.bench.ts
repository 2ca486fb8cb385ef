import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startAgent } from '@nxmesh/agent/start'
import type { AgentConfig } from '@nxmesh/model/agent-config'
import { digestOf } from '@nxmesh/model/digest'
import { header } from '@nxmesh/model/location'
import { upstreamInput } from '@nxmesh/model/upstream'
import { virtualHostInput } from '@nxmesh/model/virtual-host'
import { type Backend, startBackend } from '@nxmesh/testkit/backend'
import { get } from '@nxmesh/testkit/get'
import { killNginx, nginxBinaries } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { percentile, verdict } from './figures.ts'

// One of three servers dies under load: how long nginx goes on asking it, how many requests fail, and how soon it is back.
const check = { enabled: true, path: '/', interval: 1, timeout: 1, healthy_threshold: 2, unhealthy_threshold: 2 }
const rounds = Number(process.env['ROUNDS'] ?? 3)

for (const nginx of nginxBinaries()) {
  console.log(nginx)
  for (const trouble of ['kill', 'hang'] as const) await measure(nginx, trouble, false)
  await measure(nginx, 'kill', true)
}

interface Request {
  at: number
  ok: boolean
  answer: string
  /** Every server that nginx asked for it. */
  tried: string
}

async function measure(nginx: string, trouble: 'kill' | 'hang', help: boolean): Promise<void> {
  await using directory = await scratch()
  await using stack = new AsyncDisposableStack()
  const backends = await Promise.all(['a', 'b', 'c'].map((name) => startBackend(name)))
  for (const backend of backends) stack.use(backend)
  const dataDir = join(directory.path, 'agent')
  stack.defer(() => killNginx(dataDir))
  const agent = stack.use(await startAgent({ dataDir, nginx, mode: 'owned', labels: {}, deploymentMode: 'standalone' }))
  const port = await freePort()
  const config = configOf(port, backends, help)
  agent.offer({ version: 1, digest: digestOf(config), config_id: 'bench', config })
  await until('all to be up', async () => (await agent.health()).servers.filter(({ state }) => state === 'up').length === 3)

  const victim = backends[1]!
  const [out, back]: [number[], number[]] = [[], []]
  let requests = 0
  let failed = 0
  for (let round = 0; round < rounds; round++) {
    const load = startLoad(port)
    // At another moment between two checks each time.
    await delay(1000 + (round * check.interval * 1000) / rounds)
    const died = performance.now()
    if (trouble === 'kill') await victim.kill()
    else victim.hang()
    await until('it to be out', async () => (await agent.health()).servers.some(({ in_rotation }) => !in_rotation))
    await delay(1500)
    const stillDown = performance.now()
    await victim.revive()
    const revived = performance.now()
    await until('it to be back', () => load.requests.some(({ at, answer }) => at > stillDown && answer === victim.name))
    const done = await load.stop()
    const asked = done.filter(({ at, tried }) => at > died && at < stillDown && tried.includes(victim.address))
    out.push(Math.max(0, ...asked.map(({ at }) => at - died)))
    back.push(
      Math.min(...done.filter(({ at, answer }) => at > stillDown && answer === victim.name).map(({ at }) => Math.max(0, at - revived))),
    )
    requests += done.length
    failed += done.filter(({ ok }) => !ok).length
    // Long enough apart that it does not count as one that comes and goes.
    if (round < rounds - 1) await restart(agent, config, round + 2)
  }
  const seconds = (ms: number) => ms / 1000
  console.log(`  ${trouble}${help ? ', with max_fails and retries of nginx' : ''}: ${failed} of ${requests} requests failed`)
  const patience = trouble === 'hang' ? check.timeout : 0
  verdict('asked for the last time after, worst', seconds(Math.max(...out)), check.unhealthy_threshold * check.interval + patience + 1, 's')
  verdict('back after, worst', seconds(Math.max(...back)), check.healthy_threshold * check.interval + 1, 's')
  console.log(`  medians: out ${seconds(percentile(out, 0.5)).toFixed(2)} s, back ${seconds(percentile(back, 0.5)).toFixed(2)} s`)
}

/** Has the agent forget what it knows of the servers: a config without them, then the same one again. */
async function restart(agent: Awaited<ReturnType<typeof startAgent>>, config: AgentConfig, round: number): Promise<void> {
  const none: AgentConfig = { ...config, virtual_hosts: [], upstreams: [] }
  for (const [at, next] of [none, config].entries()) {
    const version = round * 2 + at
    agent.offer({ version, digest: digestOf(next), config_id: 'bench', config: next })
    const expected = next === none ? 0 : 3
    const up = async () => (await agent.health()).servers.filter(({ state }) => state === 'up').length
    await until('the config to be followed', async () => agent.state.good?.version === version && (await up()) === expected)
  }
}

function configOf(port: number, backends: Backend[], help: boolean): AgentConfig {
  const id = '00000000-0000-7000-8002-000000000001'
  const servers = backends.map(({ address }) => ({ address, max_fails: help ? 1 : 0 }))
  const headers = [header.parse({ name: 'X-Tried', value: '$upstream_addr', always: true, direction: 'response' })]
  // Without nginx's own means, which would hide how long the checks take.
  const directives = help ? { proxy_read_timeout: '2s' } : { proxy_read_timeout: '2s', proxy_next_upstream: 'off' }
  const locations = [{ path: '/', upstream_id: id, custom_headers: headers, custom_directives: directives }]
  const { target_agents: _, ...host } = virtualHostInput.parse({ name: 'site', server_name: 'site.test', listen_port: port, locations })
  return {
    virtual_hosts: [{ ...host, id: '00000000-0000-7000-8001-000000000001' }],
    upstreams: [{ ...upstreamInput.parse({ name: 'site', servers, health_check: check }), id }],
    certificates: {},
    settings: { nginx_directives: {}, env_vars: {} },
  }
}

function startLoad(port: number) {
  let going = true
  const requests: Request[] = []
  async function run() {
    while (going) {
      const at = performance.now()
      const answer = await get(port, 'site.test').catch(() => undefined)
      const tried = String(answer?.headers['x-tried'] ?? '')
      requests.push({ at, ok: answer?.status === 200, answer: answer?.body ?? '', tried })
      await delay(3)
    }
  }
  const runs = Array.from({ length: 8 }, run)
  return {
    requests,
    async stop(): Promise<Request[]> {
      going = false
      await Promise.all(runs)
      return requests
    },
  }
}
