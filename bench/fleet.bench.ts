import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '@nxmesh/api/routes'
import { scratch } from '@nxmesh/testkit/scratch'
import { percentile, spread, verdict } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runMaster } from './programs.ts'

// One change to a thousand connected agents: how long until each has it, and what it costs the master.
const size = Number(process.env['AGENTS'] ?? 1000)
const rounds = 10

await using directory = await scratch()
await using master = await runMaster(join(directory.path, 'master'))
const params = { workspace_id: master.workspaceId }
const tokens: { agent_id: string; token: string }[] = []
for (let index = 0; index < size; index++) {
  tokens.push(await master.client.call(routes.createAgentToken, { params, body: { name: `agent-${index}` } }))
}
const upstream = await master.client.call(routes.createUpstream, { params, body: { name: 'web', servers: [{ address: '127.0.0.1:9' }] } })
for (let index = 0; index < 20; index++) {
  const body = {
    name: `Host ${index}`,
    server_name: `host-${index}.test`,
    listen_port: 80,
    locations: [{ path: '/', upstream_id: upstream.id }],
  }
  await master.client.call(routes.createVirtualHost, { params, body })
}
const before = await residentMegabytes(master.pid)

const fleet = fork(new URL('fleet-process.ts', import.meta.url))
fleet.send({ port: master.agentsPort, caPem: await readFile(join(master.directory, 'ca.pem'), 'utf8'), tokens })
await once(fleet, 'message')
await delay(15_000)
const idle = await residentMegabytes(master.pid)
const idleStart = await processorMilliseconds(master.pid)
await delay(10_000)
const idleCpu = (await processorMilliseconds(master.pid)) - idleStart

const arrivals: number[] = []
const costs: number[] = []
for (let round = 0; round < rounds; round++) {
  const cpu = await processorMilliseconds(master.pid)
  const answered = once(fleet, 'message') as Promise<[{ at: number[] }]>
  fleet.send({ wait: true })
  const start = Date.now()
  const body = { servers: [{ address: `127.0.0.1:${1000 + round}` }] }
  await master.client.call(routes.updateUpstream, { params: { upstream_id: upstream.id }, body })
  const [{ at }] = await answered
  arrivals.push(...at.map((time) => time - start))
  await delay(1000)
  costs.push((await processorMilliseconds(master.pid)) - cpu)
}
console.log(`${size} agents, one change to 20 virtual hosts' upstream, ${rounds} rounds`)
console.log(`  from PATCH to an agent having it: ${spread(arrivals)}`)
verdict('p99', percentile(arrivals, 0.99), 3000, 'ms')
console.log(`  processor of the master for a push to all and their answers: ${percentile(costs, 0.5).toFixed(0)} ms`)
console.log(`  processor of the master with all idle: ${(idleCpu / 100).toFixed(1)} % of one core`)
console.log(
  `  memory of the master: ${before.toFixed(0)} MB alone, ${idle.toFixed(0)} MB with all idle, ${(await residentMegabytes(master.pid)).toFixed(0)} MB after the pushes`,
)
verdict('memory per idle agent', (idle - before) / size, 0.5, 'MB')
fleet.kill()
