import { mkdirSync } from 'node:fs'
import { Socket } from 'node:net'
import { availableParallelism, setPriority } from 'node:os'
import type { DuckDBConnection } from '@duckdb/node-api'
import type { Batch } from './batch.ts'
import { commit, retire } from './commit.ts'
import { countQuarantined } from './day-files.ts'
import { readExposition } from './exposition-query.ts'
import { listLogs, topValues } from './logs-query.ts'
import { batchPipe, type Order, type Report, type Setting } from './messages.ts'
import { readMetricsOf } from './metrics-query.ts'
import { Damaged, isCorruption, openStore, putDamagedAside, type Store } from './open-store.ts'
import { type Export, startExport } from './otlp/export.ts'
import { openKnownAgents } from './otlp/known-agents.ts'
import type { ExportSetting } from './otlp/setting.ts'
import { batchReader } from './pipe.ts'
import type { Exposition, Query } from './query.ts'
import { readRates } from './rates-query.ts'
import { quoted } from './schema.ts'
import type { Ask } from './sql.ts'
import { readTail } from './tail-query.ts'

// The process of the embedded telemetry store. Whatever it cannot get over ends it: the master starts another one.

const setting = JSON.parse(process.argv[2]!) as Setting
const mostTogether = 32 * 1_048_576
const mostQueries = 4
const mostThreads = Math.min(4, availableParallelism())
const retentionEvery = 60_000

const waiting: { id: number; batch: Batch }[] = []
const asked: { id: number; query: Query | Exposition }[] = []
const running = new Map<number, DuckDBConnection>()
const exportOrder = Promise.withResolvers<ExportSetting>()
const knownAgents = openKnownAgents((id, agents) => say({ kind: 'describe', id, agents }))
let store: Store | undefined
let exporting: Export | undefined
let writing = false
let closing = false
let due = true

process.on('disconnect', () => process.exit(0))
const pipe = new Socket({ fd: batchPipe, readable: true, writable: false })
pipe.on('error', () => process.exit(0))
pipe.on(
  'data',
  batchReader((id, batch) => {
    waiting.push({ id, batch })
    void write()
  }),
)
process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'ask':
      asked.push(order)
      answerNext()
      break
    case 'cancel':
      cancel(order.id)
      break
    case 'close':
      closing = true
      void write()
      break
    case 'export':
      exportOrder.resolve(order.setting)
      break
    case 'described':
      knownAgents.hear(order.id, order.agents)
      break
    default:
      order satisfies never
  }
})

void open()

async function open() {
  try {
    // Serving and config come first.
    setPriority(5)
    mkdirSync(setting.directory, { recursive: true, mode: 0o700 })
    const opened = await openStore(setting.directory, setting.limits, Date.now())
    // Before the first row comes.
    if (setting.exports) exporting = await startExport(opened, exportOptions(await exportOrder.promise, opened))
    store = opened
    say({ kind: 'ready', files: store.files.length, quarantined: countQuarantined(setting.directory) })
  } catch (error) {
    return end(error)
  }
  setInterval(() => {
    due = true
    void write()
  }, retentionEvery).unref()
  void write()
  answerNext()
}

function exportOptions(order: ExportSetting, opened: Store): Parameters<typeof startExport>[1] {
  return {
    setting: order,
    knownAgents,
    isBusy: () => writing || running.size > 0,
    onStatus: (signal, status) => say({ kind: 'exports', signal, status }),
    onTrouble(error) {
      say({ kind: 'log', level: 'error', message: `rows could not be read for the export: ${(error as Error).message}` })
      if (isCorruption(error)) void putDamagedAside(opened, Date.now()).catch(end)
    },
    log: (level, message) => say({ kind: 'log', level, message }),
  }
}

// One writer: what comes while it commits is committed together after that.
async function write() {
  if (writing || !store) return
  writing = true
  try {
    for (;;) {
      if (due) {
        due = false
        for (const name of await retire(store, Date.now(), exporting?.leaving))
          say({ kind: 'log', level: 'info', message: `${name} has had its time` })
      }
      const group = nextGroup()
      if (group.length === 0) break
      const { outcomes, lost } = await commit(
        store,
        group.map(({ batch }) => batch),
        Date.now(),
      )
      if (lost > 0) say({ kind: 'log', level: 'warn', message: `${lost} rows could not be written` })
      exporting?.wake()
      say({ kind: 'taken', outcomes: group.map(({ id }, index) => ({ id, taken: outcomes[index]! })) })
    }
  } catch (error) {
    if (isCorruption(error)) await putDamagedAside(store, Date.now()).catch(end)
    return end(error)
  }
  writing = false
  // It begins once what has had its time is gone.
  exporting?.wake()
  if (closing) await close(store)
}

function nextGroup() {
  let bytes = 0
  let count = 0
  while (count < waiting.length && bytes < mostTogether) bytes += waiting[count++]!.batch.bytes.length
  return waiting.splice(0, count)
}

async function close({ files, writer, instance }: Store) {
  await exporting?.stop()
  const newest = files.at(-1)
  // What is in the log is as durable; a checkpoint makes the next start quick.
  if (newest) await writer.run(`CHECKPOINT ${quoted(newest.name)}`).catch(() => undefined)
  writer.closeSync()
  instance.closeSync()
  process.exit(0)
}

function answerNext() {
  while (store && running.size < mostQueries) {
    const next = asked.shift()
    if (!next) return
    void answer(store, next)
  }
}

async function answer(opened: Store, { id, query }: { id: number; query: Query | Exposition }) {
  const connection = await opened.instance.connect()
  running.set(id, connection)
  const files = [...opened.files]
  for (const file of files) file.readers++
  try {
    if (running.size === 1) await connection.run(`SET threads TO ${mostThreads}`)
    const ask: Ask = async (sql, values) => (await connection.runAndReadAll(sql, values)).getRowObjectsJS()
    const answer = await answerOf(opened, ask, query)
    say({ kind: 'answer', id, content: answer instanceof Uint8Array ? answer : JSON.stringify(answer) })
  } catch (error) {
    say({ kind: 'failed', id, reason: (error as Error).message })
    if (isCorruption(error)) await putDamagedAside(opened, Date.now()).catch(end)
  } finally {
    for (const file of files) file.readers--
    if (running.size === 1) await connection.run('SET threads TO 1').catch(() => undefined)
    running.delete(id)
    connection.closeSync()
  }
  answerNext()
}

function answerOf(opened: Store, ask: Ask, query: Query | Exposition): Promise<unknown> {
  switch (query.kind) {
    case 'access-logs':
    case 'error-logs':
      return listLogs(opened, ask, query)
    case 'tail':
      return readTail(opened, ask, query)
    case 'rates':
      return readRates(opened, ask, query)
    case 'top':
      return topValues(opened, ask, query)
    case 'metrics':
      return readMetricsOf(opened, ask, query)
    case 'exposition':
      return readExposition(opened, ask, query)
    default:
      return query satisfies never
  }
}

function cancel(id: number) {
  running.get(id)?.interrupt()
  const index = asked.findIndex((query) => query.id === id)
  if (index >= 0) asked.splice(index, 1)
}

function say(report: Report) {
  if (process.connected) process.send!(report)
}

// The last word is waited for; nothing else happens any more.
function end(error: unknown) {
  const { message } = error as Error
  const report: Report = error instanceof Damaged ? { kind: 'damaged', message } : { kind: 'log', level: 'error', message }
  if (process.connected) process.send!(report, undefined, {}, () => process.exit(1))
  else process.exit(1)
}
