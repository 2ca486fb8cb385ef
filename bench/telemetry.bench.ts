// Log lines from an agent's messages to rows that can be asked for, and questions about them, beside DuckDB alone in the same run.
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { create, toBinary } from '@bufbuild/protobuf'
import { DuckDBInstance } from '@duckdb/node-api'
import { routes } from '@nxmesh/api/routes'
import { AgentMessageSchema, LogBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { logRowCells } from '@nxmesh/proto/log-rows'
import { connectTelemetryAgent } from '../packages/master/tests/telemetry-agent.ts'
import { percentile } from './figures.ts'
import { processorMilliseconds, runMaster } from './programs.ts'

const lines = Number(process.env['NXMESH_BENCH_LINES'] ?? 1_000_000)
const perBatch = 1000
const mostEntries = 200_000
const unacknowledged = 32
const asks = 7
const blocksAtMost = 200
const day = 86_400_000
const end = Date.now()
const begin = end - day

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
    await sendAll(agent.stream, frames, count)
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

function lineAt(index: number) {
  const failed = index % 500 === 0
  const fields = {
    remote_addr: `10.${index % 7}.${index % 251}.${index % 199}`,
    method: index % 10 === 0 ? 'POST' : 'GET',
    uri: `/api/v1/things/${(index * 7919) % 5000}?page=${index % 97}`,
    protocol: 'HTTP/1.1',
    host: `site-${index % 20}.example.com`,
    status: failed ? (index % 1000 === 0 ? '500' : '502') : index % 20 === 0 ? '404' : '200',
    body_bytes_sent: String(200 + (index % 40_000)),
    response_time_ms: String(1 + ((index * 31) % 400)),
    user_agent: `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.${index % 200} (KHTML, like Gecko) Chrome/1${index % 90}.0.0.0 Safari/537.36`,
    referer: 'https://example.com/',
    request_id: ((index * 2_654_435_761) % 2 ** 32).toString(16).padStart(32, '0'),
    virtual_host: `880e8400-e29b-41d4-a716-4466554400${String(index % 20).padStart(2, '0')}`,
    upstream_addr: `10.0.1.${index % 8}:8080`,
    upstream_status: failed ? '502' : '200',
    request_bytes: String(300 + (index % 200)),
    bytes_sent: String(500 + (index % 40_000)),
  }
  const timestamp = BigInt(begin + Math.floor((index / mostEntries) * day))
  return { timestamp, level: 'access', message: `${fields.method} ${fields.uri} ${fields.protocol}`, fields }
}

// Batches are encoded beforehand, so that an agent's own work is little of what is measured: blocks that come over and over, as rows with
// other times.
function framesOf(agentId: string, form: 'entries' | 'rows', count: number): (batch: number) => Buffer {
  const now = BigInt(Date.now()) * 1000n
  const blocks = Array.from({ length: Math.min(blocksAtMost, count / perBatch) }, (_, block) => {
    const entries = Array.from({ length: perBatch }, (_line, index) => lineAt(block * perBatch + index))
    return form === 'entries' ? toBinary(LogBatchSchema, create(LogBatchSchema, { entries })) : rowsOf(entries)
  })
  return (batch) => {
    const block = Buffer.from(blocks[batch % blocks.length]!)
    if (form === 'rows') setTimes(block, begin + (batch / (count / perBatch)) * day, day / count)
    const rows = form === 'rows' ? { rows: block } : {}
    const rest = toBinary(LogBatchSchema, create(LogBatchSchema, { ...rows, spool: form, sequence: BigInt(batch + 1) }))
    const logs = form === 'rows' ? rest : Buffer.concat([block, rest])
    const head = toBinary(AgentMessageSchema, create(AgentMessageSchema, { agentId, timestamp: now + BigInt(batch) }))
    return Buffer.concat([head, Buffer.from([0x3a, ...varint(logs.length)]), logs])
  }
}

// Each row begins with thirteen digits.
function setTimes(rows: Buffer, from: number, step: number) {
  for (let [at, index] = [0, 0]; at < rows.length; at = rows.indexOf(0x0a, at) + 1, index++) {
    rows.write(String(Math.floor(from + index * step)), at, 'latin1')
  }
}

function rowsOf(entries: ReturnType<typeof lineAt>[]): Buffer {
  const rows = entries.map(({ timestamp, fields }) => {
    const named: Record<string, string> = { ...fields, timestamp: String(timestamp) }
    return logRowCells.map((name) => named[name]).join('\t')
  })
  return Buffer.from(`${rows.join('\n')}\n`)
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))]
}

async function sendAll(
  { sendRaw, received }: Awaited<ReturnType<typeof connectTelemetryAgent>>['stream'],
  frameOf: (batch: number) => Buffer,
  total: number,
) {
  received.length = 0
  const count = total / perBatch
  let sent = 0
  for (;;) {
    const acks = received
      .filter((payload) => payload.case === 'ack')
      .map(({ value }) => value as { success: boolean; errorMessage: string })
    const refused = acks.find(({ success }) => !success)
    if (refused) throw new Error(refused.errorMessage)
    if (acks.length === count) return
    while (sent < count && sent - acks.length < unacknowledged) sendRaw(frameOf(sent++))
    await delay(2)
  }
}

async function childOf(pid: number): Promise<number> {
  const [child] = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')
  return Number(child)
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
    'top paths': `SELECT split_part(uri, '?', 1) AS path, count(*) AS c FROM access WHERE ${within} GROUP BY path ORDER BY c DESC LIMIT 10`,
    'p50, p90 and p99': `SELECT quantile_disc(response_time_ms, [0.5, 0.9, 0.99]) FROM access WHERE ${within}`,
  }
  for (const [what, sql] of Object.entries(questions)) await report(what, () => connection.runAndReadAll(sql))
  connection.closeSync()
  instance.closeSync()
  console.log(`  on disk: ${((await stat(join(directory, 'alone.duckdb'))).size / lines).toFixed(1)} bytes a row`)
}
