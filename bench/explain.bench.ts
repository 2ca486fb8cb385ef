import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import { binaryFacts } from '@nxmesh/agent/binary-facts'
import { dataPaths } from '@nxmesh/agent/durable'
import { openExplainer } from '@nxmesh/master/explain/explainer'
import { digestOf } from '@nxmesh/model/digest'
import { explainInput } from '@nxmesh/model/explanation'
import { explain } from '@nxmesh/nginx/explain/explain'
import { incomingOf } from '@nxmesh/nginx/explain/incoming'
import { placesIn } from '@nxmesh/nginx/explain/places'
import { readConfig } from '@nxmesh/nginx/explain/read-config'
import { compileConfig } from '@nxmesh/nginx/explain/servers'
import { render } from '@nxmesh/nginx/render'
import { nginxBinary } from '@nxmesh/testkit/nginx'
import { scratch } from '@nxmesh/testkit/scratch'
import pino from 'pino'
import { percentile, rounded, verdict } from './figures.ts'
import { host, manyHosts } from './many-hosts.ts'

// A request to one of many virtual hosts, explained in the thread for that, beside rendering and reading all of it in place.
const count = 10_000
const rounds = 7
const nextCalls = 20

await using folder = await scratch()
const facts = await binaryFacts(dataPaths(folder.path))(nginxBinary())
const input = explainInput.parse({
  agent_id: '00000000-0000-4000-8000-000000000000',
  host: 'www.host-7777.test',
  port: 18_080,
  path: '/some/page?x=1',
})
const config = manyHosts(count)
await using explainer = openExplainer(pino({ level: 'silent' }))
const lag = monitorEventLoopDelay({ resolution: 1 })
const times: Record<'in place' | 'first' | 'next', number[]> = { 'in place': [], first: [], next: [] }
const blocks: Record<'first' | 'next', number[]> = { first: [], next: [] }

async function watched(name: 'first' | 'next', work: () => Promise<unknown>) {
  await delay(20)
  lag.enable()
  lag.reset()
  const since = performance.now()
  await work()
  times[name].push(performance.now() - since)
  await delay(5)
  lag.disable()
  blocks[name].push(lag.max / 1e6)
}

for (let round = 0; round < rounds; round++) {
  config.virtual_hosts[round] = { ...host(round), server_name: `edited-${round}.test` }
  const target = { facts, mode: 'owned', runtime_directory: folder.path, ipv6: false, digest: digestOf(config) } as const
  const since = performance.now()
  const rendered = render(config, target)
  const read = readConfig(new Map(rendered.files.map(({ path, text }) => [path, text])), 'nginx.conf')
  if (!read.ok) throw new Error(read.message)
  const wanted = explain(compileConfig(read.http), incomingOf(input), placesIn(rendered.sources))
  times['in place'].push(performance.now() - since)
  const ask = async () => {
    const told = await explainer.explain(target, input, async () => config)
    if (JSON.stringify(told) !== JSON.stringify(wanted)) throw new Error('the thread tells another thing')
  }
  await watched('first', ask)
  for (let call = 0; call < nextCalls; call++) await watched('next', ask)
}

const median = (samples: number[]) => rounded(percentile(samples, 0.5))
console.log(`${count} virtual hosts, medians of ${rounds} configurations, one after the other`)
console.log(`  rendered, read and explained in place: ${median(times['in place'])} ms, all of it on the event loop`)
console.log(`  first question to the thread ${median(times.first)} ms, each next one ${median(times.next)} ms`)
verdict('longest block of the event loop in a first question, median', percentile(blocks.first, 0.5), 50, 'ms')
verdict('in a next one, median', percentile(blocks.next, 0.5), 50, 'ms')
