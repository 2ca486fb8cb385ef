// Log lines from an agent's messages to rows that can be asked for, and questions about them, beside DuckDB alone in the same run.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { routes } from '@nxmesh/api/routes'
import { connectTelemetryAgent } from '../packages/master/tests/telemetry-agent.ts'
import { percentile } from './figures.ts'
import { processorMilliseconds, runMaster } from './programs.ts'
import { begin, childOf, end, framesOf, lineAt, mostEntries, perBatch, sendAll, unacknowledged } from './telemetry-load.ts'

const lines = Number(process.env['NXMESH_BENCH_LINES'] ?? 1_000_000)
const asks = 7

await using stack = new AsyncDisposableStack()
const directory = await mkdtemp(join(tmpdir(), 'nxmesh-bench-'))
stack.defer(() => rm(directory, { recursive: true, force: true }))
{
  await using master = await runMaster(join(directory, 'master'))
  const { client, workspaceId } = master
  const params = { workspace_id: workspaceId }
  const made = await client.call(routes.createAgentToken, { params, body: { name: 'bench' } })
  const caPem = await readFile(join(master.directory, 'ca.pem'), 'utf8')
  using agent = await connectTelemetryAgent({ port: master.agentsPort, caPem }, { id: made.agent_id, token: made.token })
  await agent.logs({ entries: [lineAt(0)] })
  const store = await childOf(master.pid)

  for (const form of ['entries', 'rows'] as const) {
    const count = form === 'rows' ? lines : Math.min(lines, mostEntries)
    const frames = framesOf(made.agent_id, form, count)
    const before = [await processorMilliseconds(master.pid), await processorMilliseconds(store)] as const
    const started = performance.now()
    await sendAll(agent.stream, frames, count / perBatch)
    const seconds = (performance.now() - started) / 1000
    const used = [(await processorMilliseconds(master.pid)) - before[0], (await processorMilliseconds(store)) - before[1]] as const
    const per1000 = (milliseconds: number) => ((milliseconds / count) * 1000).toFixed(2)
    console.log(`${count} lines as ${form} in batches of ${perBatch}, ${unacknowledged} of them under way`)
    console.log(`  from messages to rows that are durable and can be asked for: ${Math.round(count / seconds)} lines a second`)
    console.log(`  processor of the master's main process: ${per1000(used[0])} ms for 1,000 lines; of its store: ${per1000(used[1])} ms`)
  }

  const window = { from: new Date(begin).toISOString(), to: new Date(end + 1000).toISOString() }
  const list = (query: object) => () => client.call(routes.listAccessLogs, { params, query: { ...window, ...query } })
  console.log(`  questions over REST to ${lines} rows, median of ${asks}:`)
  await report("the contract's query (500, 100 newest)", list({ status_code: '500' }))
  await report('5xx in a day', list({ status_code: '5xx' }))
  await report('the newest hundred', list({}))
  await report('top paths', () => client.call(routes.topAccessLogs, { params, query: { ...window, by: 'uri' } }))
  await report('metrics with p50, p90 and p99', () => client.call(routes.getWorkspaceMetrics, { params, query: window }))
  await report('metrics in 24 steps', () =>
    client.call(routes.getWorkspaceMetrics, { params, query: { ...window, step: '3601' } as never }),
  )
}
// Closed, so that all of it is in the files.
const files = join(directory, 'master', 'telemetry')
let bytes = 0
for (const name of await readdir(files)) if (name.includes('.duckdb')) bytes += (await stat(join(files, name))).size
console.log(`  on disk: ${(bytes / lines).toFixed(1)} bytes a row`)
await alone()

async function report(what: string, ask: () => Promise<unknown>) {
  const times: number[] = []
  for (let index = 0; index < asks; index++) {
    const started = performance.now()
    await ask()
    times.push(performance.now() - started)
  }
  console.log(`    ${what}: ${percentile(times, 0.5).toFixed(1)} ms`)
}

/** The same rows in DuckDB without anything around it: what the machine can do. */
async function alone() {
  const instance = await DuckDBInstance.create(join(directory, 'alone.duckdb'), { threads: '2' })
  const connection = await instance.connect()
  const [file] = (await readdir(files)).filter((name) => name.endsWith('.duckdb')).sort()
  await connection.run(`ATTACH '${join(files, file!)}' AS stored (READ_ONLY)`)
  const cpu = process.cpuUsage()
  const started = performance.now()
  await connection.run('CREATE TABLE access AS SELECT * FROM stored.access ORDER BY seq')
  await connection.run('CHECKPOINT')
  const seconds = (performance.now() - started) / 1000
  const { user, system } = process.cpuUsage(cpu)
  console.log('DuckDB alone, the same rows and questions')
  console.log(
    `  copied in one statement: ${Math.round(lines / seconds)} rows a second, ${((user + system) / lines).toFixed(2)} ms of processor for 1,000`,
  )
  const within = `ts >= ${begin} AND ts < ${end + 1000}`
  const questions = {
    "the contract's query": `SELECT * FROM access WHERE ${within} AND status = 500 ORDER BY ts DESC, seq DESC LIMIT 101`,
    '5xx in a day': `SELECT count(*) FROM access WHERE ${within} AND status BETWEEN 500 AND 599`,
    'top paths': `SELECT path, count(*) AS c FROM access WHERE ${within} GROUP BY path ORDER BY c DESC LIMIT 10`,
    'p50, p90 and p99': `SELECT quantile_disc(response_time_ms, [0.5, 0.9, 0.99]) FROM access WHERE ${within}`,
  }
  for (const [what, sql] of Object.entries(questions)) await report(what, () => connection.runAndReadAll(sql))
  connection.closeSync()
  instance.closeSync()
  console.log(`  on disk: ${((await stat(join(directory, 'alone.duckdb'))).size / lines).toFixed(1)} bytes a row`)
}
