import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { eventExample } from '@nxmesh/api/examples/events'
import { routes } from '@nxmesh/api/routes'
import { scratch } from '@nxmesh/testkit/scratch'
import { percentile, spread, verdict } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runMaster } from './programs.ts'

// One change told to a thousand sockets, beside a broadcast by ws alone, in turns.
const size = Number(process.env['SOCKETS'] ?? 1000)
const rounds = 30

await using directory = await scratch()
await using master = await runMaster(join(directory.path, 'master'))
const params = { workspace_id: master.workspaceId }
const upstream = await master.client.call(routes.createUpstream, { params, body: { name: 'web', servers: [{ address: '127.0.0.1:9' }] } })
const broadcast = fork(new URL('broadcast-process.ts', import.meta.url))
const [{ port }] = (await once(broadcast, 'message')) as [{ port: number }]
// A principal has a number of requests a minute, so there are a few.
const tokens: string[] = []
const { organization_id } = await master.client.call(routes.getWorkspace, { params })
for (let index = 0; index < 5; index++) {
  const body = { name: `listener ${index}`, organization_id, role: 'viewer', expires_in_days: 1 } as const
  tokens.push((await master.client.call(routes.createApiToken, { body })).token)
}

const ours = await listeners(
  tokens.map((token) => `${master.base.replace('http', 'ws')}/v1/events?token=${token}`),
  master.pid,
  {
    first: JSON.stringify({ action: 'subscribe', events: ['upstream.*'] }),
  },
)
const bare = await listeners([`ws://127.0.0.1:${port}`], broadcast.pid!, {})
const text = JSON.stringify(eventExample('upstream.updated'))

const figures = {
  ours: [] as number[],
  lasts: [] as number[],
  answers: [] as number[],
  bare: [] as number[],
  bareLasts: [] as number[],
  cpu: [] as number[],
}
for (let round = 0; round < rounds; round++) {
  const cpu = await processorMilliseconds(master.pid)
  const told = arrivals(ours.clients)
  const asked = Date.now()
  await master.client.call(routes.updateUpstream, {
    params: { upstream_id: upstream.id },
    body: { servers: [{ address: `127.0.0.1:${1000 + round}` }] },
  })
  figures.answers.push(Date.now() - asked)
  const at = (await told).map((time) => time - asked)
  figures.ours.push(...at)
  figures.lasts.push(Math.max(...at))
  figures.cpu.push((await processorMilliseconds(master.pid)) - cpu)

  const heard = arrivals(bare.clients)
  const sent = Date.now()
  broadcast.send({ text })
  const bareAt = (await heard).map((time) => time - sent)
  figures.bare.push(...bareAt)
  figures.bareLasts.push(Math.max(...bareAt))
}
console.log(`${size} sockets, one change to an upstream, ${rounds} rounds`)
console.log(`  from PATCH to its answer: ${spread(figures.answers)}`)
console.log(`  from PATCH to a client having the event: ${spread(figures.ours)}`)
console.log(`  ws alone, from the word to a client having it: ${spread(figures.bare)}`)
console.log(
  `  the last client of a round: p50 ${percentile(figures.lasts, 0.5)} ms, with ws alone ${percentile(figures.bareLasts, 0.5)} ms`,
)
console.log(`  processor of the master for a change and its event: ${percentile(figures.cpu, 0.5).toFixed(0)} ms`)
console.log(`  memory per socket: ${(ours.memory * 1024).toFixed(0)} kB, with ws alone ${(bare.memory * 1024).toFixed(0)} kB`)
verdict('p99 of ours', percentile(figures.ours, 0.99), 3 * percentile(figures.bare, 0.99) + percentile(figures.answers, 0.99), 'ms')
ours.clients.kill()
bare.clients.kill()
broadcast.kill()

async function listeners(addresses: string[], pid: number, { first }: { first?: string }) {
  const clients = fork(new URL('listeners-process.ts', import.meta.url))
  await delay(2000)
  const before = await residentMegabytes(pid)
  clients.send({ addresses, count: size, ...(first !== undefined && { first }) })
  await once(clients, 'message')
  await delay(5000)
  return { clients, memory: ((await residentMegabytes(pid)) - before) / size }
}

function arrivals(clients: ChildProcess): Promise<number[]> {
  const heard = once(clients, 'message') as Promise<[{ at: number[] }]>
  clients.send({ wait: true })
  return heard.then(([{ at }]) => at)
}
