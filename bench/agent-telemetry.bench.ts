import { execFile, execFileSync } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { routes } from '@nxmesh/api/routes'
import { killNginx } from '@nxmesh/testkit/nginx'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { percentile } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runAgent, runMaster } from './programs.ts'

// What following the logs costs nginx and the agent while nginx is at its limit, in turns with an agent that is stopped (SIGSTOP); then
// how fast one agent ships what waited, beside a reader that only counts lines.
const run = promisify(execFile)
const seconds = Number(process.env['SECONDS'] ?? 10)
const turns = 3
let lastTotal = 0

execFileSync(process.execPath, [new URL('../packages/agent/build.mjs', import.meta.url).pathname], { stdio: 'ignore' })
await using directory = await scratch()
const agentDirectory = join(directory.path, 'agent')
await using master = await runMaster(join(directory.path, 'master'))
await using cleanUp = new AsyncDisposableStack()
cleanUp.defer(() => killNginx(agentDirectory))
await using agent = await runAgent(master, agentDirectory, 'bench', 'packages/agent/dist/nxmesh-agent.mjs')
const params = { workspace_id: master.workspaceId }
const port = await freePort()
const locations = [{ path: '/', custom_directives: { return: '200 ok' } }]
await master.client.call(routes.createVirtualHost, {
  params,
  body: { name: 'bench', server_name: 'bench.test', listen_port: port, locations },
})
await until('nginx to serve', async () => (await wrk(1)) > 0, 30)
await arrived()
console.log(`${seconds} s of wrk, 32 connections, one thread, ${turns} turns each`)

const rates = { followed: [] as number[], stopped: [] as number[] }
let [processor, requests, shipped] = [0, 0, 0]
for (let turn = 0; turn < turns; turn++) {
  const before = await processorMilliseconds(agent.pid)
  rates.followed.push(await wrk(seconds))
  processor += (await processorMilliseconds(agent.pid)) - before
  shipped += (await arrived()).came
  requests += rates.followed.at(-1)! * seconds
  process.kill(agent.pid, 'SIGSTOP')
  rates.stopped.push(await wrk(seconds))
  const log = join(agentDirectory, 'runtime', 'access.log')
  const size = (await stat(log)).size
  const began = performance.now()
  const lines = Number((await run('wc', ['-l', log])).stdout.split(' ')[0])
  const counted = performance.now() - began
  process.kill(agent.pid, 'SIGCONT')
  const resumed = performance.now()
  const { came, ago } = await arrived()
  const took = performance.now() - resumed - ago
  console.log(
    `  ${came} lines that waited were at the master after ${(took / 1000).toFixed(1)} s: ${Math.round((came / took) * 1000)} lines a second (wc -l: ${Math.round((lines / counted) * 1000)} lines a second of ${(size / lines).toFixed(0)} bytes)`,
  )
}
const median = (samples: number[]) => percentile(samples, 0.5)
const [followed, stopped] = [median(rates.followed), median(rates.stopped)]
console.log(
  `  nginx: ${followed.toFixed(0)} requests a second followed, ${stopped.toFixed(0)} with the agent stopped: ${(followed / stopped).toFixed(2)}`,
)
console.log(
  `  agent meanwhile: ${((processor / requests) * 1000).toFixed(2)} ms of processor for 1,000 requests, of which ${shipped} lines arrived`,
)
console.log(`  agent's memory afterwards: ${(await residentMegabytes(agent.pid)).toFixed(0)} MB`)

async function wrk(duration: number): Promise<number> {
  const { stdout } = await run('wrk', ['-c', '32', '-t', '1', '-d', `${duration}s`, '-H', 'Host: bench.test', `http://127.0.0.1:${port}/`])
  if (/Non-2xx/.test(stdout)) return 0
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1] ?? 0)
}

/** Waits until no more lines come to the master; how many came meanwhile, and how long ago the last of them. */
async function arrived(): Promise<{ came: number; ago: number }> {
  const before = lastTotal
  let changed = performance.now()
  while (performance.now() - changed < 2500 || lastTotal === before) {
    const { total } = (await master.client.call(routes.listAccessLogs, { params, query: { limit: '1' } })).meta
    if (total !== lastTotal) changed = performance.now()
    lastTotal = total
    await delay(50)
  }
  return { came: lastTotal - before, ago: performance.now() - changed }
}
