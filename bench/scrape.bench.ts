// What Prometheus reads of a fleet: how long it takes, and what others wait meanwhile, beside a bare route that answers the same bytes.
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '@nxmesh/api/routes'
import { MetricType } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { scratch } from '@nxmesh/testkit/scratch'
import { connectTelemetryAgent } from '../packages/master/tests/telemetry-agent.ts'
import { percentile, spread, verdict } from './figures.ts'
import { processorMilliseconds, runMaster } from './programs.ts'
import { childOf } from './telemetry-load.ts'

const agents = Number(process.env['AGENTS'] ?? 200)
const hosts = Number(process.env['HOSTS'] ?? 20)
const scrapes = 15
const bounds = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1', '2.5', '5', '10', '+Inf']
const token = 'the token of prometheus'

await using stack = new AsyncDisposableStack()
const directory = stack.use(await scratch()).path
const master = stack.use(await runMaster(join(directory, 'master'), ['--metrics-token', token, '--heartbeat-interval', '600']))
const caPem = await readFile(join(master.directory, 'ca.pem'), 'utf8')
const params = { workspace_id: master.workspaceId }
const place = { port: master.agentsPort, caPem }
const connected = []
for (let index = 0; index < agents; index++) {
  const made = await master.client.call(routes.createAgentToken, { params, body: { name: `web-${index}` } })
  connected.push(stack.use(await connectTelemetryAgent(place, { id: made.agent_id, token: made.token })))
}
for (let sequence = 1; sequence <= 3; sequence++) {
  for (const agent of connected) await agent.metrics({ metrics: samples(sequence), spool: 's', sequence: BigInt(sequence) })
}
const store = await childOf(master.pid)
const scrape = (url: string) => fetch(url, { headers: { authorization: `Bearer ${token}` } }).then((answer) => answer.text())
const address = `${master.base}/metrics/fleet`
const text = await scrape(address)
const bare = createServer((_request, response) => response.end(text)).listen(0, '127.0.0.1')
await once(bare, 'listening')
const bareAddress = `http://127.0.0.1:${(bare.address() as AddressInfo).port}`

const figures = {
  ours: [] as number[],
  bare: [] as number[],
  main: [] as number[],
  store: [] as number[],
  quiet: [] as number[],
  meanwhile: [] as number[],
}
const ask = () => took(() => master.client.call(routes.getWorkspace, { params }))
for (let round = 0; round < scrapes; round++) {
  const before = [await processorMilliseconds(master.pid), await processorMilliseconds(store)] as const
  figures.ours.push(await took(() => scrape(address)))
  figures.main.push((await processorMilliseconds(master.pid)) - before[0])
  figures.store.push((await processorMilliseconds(store)) - before[1])
  figures.bare.push(await took(() => scrape(bareAddress)))
  for (let index = 0; index < 20; index++) figures.quiet.push(await ask())
  let over = false
  const reading = scrape(address).then(() => {
    over = true
  })
  while (!over) {
    figures.meanwhile.push(await ask())
    await delay(1)
  }
  await reading
}
bare.close()
const series = text.split('\n').filter((line) => line !== '' && !line.startsWith('#')).length
console.log(
  `${agents} agents with ${hosts} virtual hosts each: ${series} series, ${(text.length / 1e6).toFixed(1)} MB, read ${scrapes} times`,
)
console.log(`  ours: ${spread(figures.ours)}; a bare route with the same bytes: ${spread(figures.bare)}`)
console.log(
  `  processor: ${percentile(figures.main, 0.5).toFixed(0)} ms in the main process, ${percentile(figures.store, 0.5).toFixed(0)} ms in the store`,
)
console.log(`  another request meanwhile: ${spread(figures.meanwhile)}; when nobody reads: ${spread(figures.quiet)}`)
verdict('time to read the fleet', percentile(figures.ours, 0.5), 10_000, 'ms')
verdict('p99 of another request meanwhile', percentile(figures.meanwhile, 0.99), 50 + percentile(figures.quiet, 0.99), 'ms')

function samples(round: number) {
  const timestamp = BigInt(Date.now())
  const sample = (type: MetricType, name: string, value: number, labels: Record<string, string> = {}) => ({
    type,
    name,
    value,
    labels,
    timestamp,
  })
  const gauges = ['up', 'connections_active', 'connections_reading', 'connections_writing', 'connections_waiting'].map((name) =>
    sample(MetricType.GAUGE, `nginx_${name}`, round),
  )
  const counters = Array.from({ length: hosts }, (_, host) => {
    const virtual_host = `880e8400-e29b-41d4-a716-4466554400${String(host).padStart(2, '0')}`
    const counter = (name: string, labels = {}) =>
      sample(MetricType.COUNTER, `nginx_http_${name}`, 100 * round, { virtual_host, ...labels })
    const part = (name: string, labels = {}) => ({ ...counter(`request_duration_seconds_${name}`, labels), type: MetricType.HISTOGRAM })
    return [
      ...['1xx', '2xx', '3xx', '4xx', '5xx'].map((status_class) => counter('requests_total', { status_class })),
      ...['request_bytes_total', 'response_bytes_total'].map((name) => counter(name)),
      ...bounds.map((le) => part('bucket', { le })),
      part('sum'),
      part('count'),
    ]
  }).flat()
  return [...gauges, ...counters]
}

async function took(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}
