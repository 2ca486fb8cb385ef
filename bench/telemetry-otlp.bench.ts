// What exporting over OTLP costs the telemetry store: lines taken with and without an export in turns, how fast the export follows, and a
// question meanwhile.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { routes } from '@nxmesh/api/routes'
import { connectTelemetryAgent } from '../packages/master/tests/telemetry-agent.ts'
import { percentile } from './figures.ts'
import { processorMilliseconds, residentMegabytes, runMaster, runOtlpReceiver } from './programs.ts'
import { begin, childOf, end, framesOf, lineAt, perBatch, sendAll } from './telemetry-load.ts'

const lines = Number(process.env['NXMESH_BENCH_LINES'] ?? 200_000)
const turns = 3
const window = { from: new Date(begin).toISOString(), to: new Date(end + 1000).toISOString() }

await using stack = new AsyncDisposableStack()
const directory = await mkdtemp(join(tmpdir(), 'nxmesh-bench-'))
stack.defer(() => rm(directory, { recursive: true, force: true }))
console.log(`${lines} lines of an access log in batches of ${perBatch}, ${turns} turns each`)
const rates = { without: [] as number[], with: [] as number[] }
for (let turn = 0; turn < turns; turn++) {
  rates.without.push(await run(join(directory, `without-${turn}`)))
  rates.with.push(await run(join(directory, `with-${turn}`), true))
}
const [without, within] = [percentile(rates.without, 0.5), percentile(rates.with, 0.5)]
console.log(`taken with an export: ${(within / without).toFixed(2)} of what is taken without one`)

async function run(data: string, isExporting = false): Promise<number> {
  await using receiver = await runOtlpReceiver()
  await using master = await runMaster(data, isExporting ? ['--otlp-endpoint', receiver.url, '--otlp-signals', 'logs'] : [])
  const params = { workspace_id: master.workspaceId }
  const made = await master.client.call(routes.createAgentToken, { params, body: { name: 'bench' } })
  const caPem = await readFile(join(master.directory, 'ca.pem'), 'utf8')
  using agent = await connectTelemetryAgent({ port: master.agentsPort, caPem }, { id: made.agent_id, token: made.token })
  await agent.logs({ entries: [lineAt(0)] })
  const store = await childOf(master.pid)
  const frames = framesOf(made.agent_id, 'rows', lines)
  const before = await processorMilliseconds(store)
  const started = Date.now()
  const asking = ask(() => master.client.call(routes.listAccessLogs, { params, query: { ...window, status_code: '500' } }))
  await sendAll(agent.stream, frames, lines / perBatch)
  const ended = Date.now()
  const rate = (lines / (ended - started)) * 1000
  const asked = await asking.stop()
  const meanwhile = (await receiver.counts()).requests
  const { requests, bytes, lastAt } = await receiver.quiet()
  const processor = ((await processorMilliseconds(store)) - before) / lines
  console.log(
    `  ${isExporting ? 'with an export' : 'without one'}: ${Math.round(rate)} lines a second taken, ` +
      `the contract's query meanwhile p50 ${percentile(asked, 0.5).toFixed(0)} ms, p90 ${percentile(asked, 0.9).toFixed(0)} ms; ` +
      `${(processor * 1000).toFixed(1)} ms of the store's processor for 1,000 lines, ${(await residentMegabytes(store)).toFixed(0)} MB resident`,
  )
  if (isExporting) {
    const left = 1 - meanwhile / requests
    console.log(
      `    ${Math.round((1 - left) * 100)} % were exported when the last was taken, the rest at ${Math.round(((left * lines) / Math.max(1, lastAt - ended)) * 1000)} lines a second; ` +
        `${requests} requests of ${(bytes / requests / 1000).toFixed(0)} kB`,
    )
  }
  return rate
}

function ask(question: () => Promise<unknown>) {
  const times: number[] = []
  let isOver = false
  const running = (async () => {
    while (!isOver) {
      const started = performance.now()
      await question()
      times.push(performance.now() - started)
      await delay(200)
    }
  })()
  return {
    async stop() {
      isOver = true
      await running
      return times
    },
  }
}
