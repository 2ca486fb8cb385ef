import { type ChildProcess, fork } from 'node:child_process'
import { statSync } from 'node:fs'
import type { Writable } from 'node:stream'
import { ApiError } from '@nxmesh/api/errors'
import type { Logger } from 'pino'
import type { Batch, Taken } from './batch.ts'
import { listFiles } from './day-files.ts'
import { batchPipe, type Order, type Report, type Setting } from './messages.ts'
import type { Exporting, Signal, SignalStatus } from './otlp/setting.ts'
import { headOf } from './pipe.ts'
import type { Exposition, Query } from './query.ts'

/** The embedded telemetry store, which lives in a process of its own: it may die, and nothing else of the master does. */
export interface Telemetry extends AsyncDisposable {
  /** Resolves once the batch is durable, or with why it is not. Never rejects. */
  take(batch: Batch): Promise<Taken>
  /** The answer as JSON text. Rejects with SERVICE_UNAVAILABLE while the store is away. */
  ask(query: Query): Promise<string>
  /** The answer compressed by gzip. Rejects as `ask` does. */
  expose(query: Exposition): Promise<Uint8Array>
  status(): TelemetryStatus
}

export interface TelemetryStatus {
  /** `idle` until it is first needed. */
  state: 'idle' | 'starting' | 'ready' | 'away'
  /** Day files that could not be read and were put aside, as of the last start. */
  quarantined: number
  /** How often its process has ended by itself. */
  restarts: number
  /** Batches that have been dealt with since the master started: where this has not changed, there is nothing new to ask for. */
  settled: number
  /** The process, while there is one. */
  pid: number | undefined
  /** How the export of each signal stood last, where there is one. */
  exports: Partial<Record<Signal, SignalStatus>>
}

interface Options extends Omit<Setting, 'exports'> {
  exporting?: Exporting | undefined
  log: Logger
}

const entry = new URL('./process.ts', import.meta.url).pathname
const shortestPause = 100
const longestPause = 30_000
// A store that stays up this long has got over what ended it.
const steadyAfter = 60_000
const mostWaitingBytes = 64 * 1_048_576
const mostQuestions = 100
const patience = { start: 5000, answer: 30_000, close: 5000 }

const away = 'the telemetry store is away; try again later'
const busy = 'the telemetry store is behind; try again later'

/** Makes the store ready to be used. Its process starts at once if it holds something, otherwise when it is first needed. */
export function openTelemetry({ log, exporting, ...rest }: Options): Telemetry {
  const setting: Setting = { ...rest, exports: exporting !== undefined }
  const exports: TelemetryStatus['exports'] = {}
  let child: ChildProcess | undefined
  let batches: Writable | undefined
  let state: TelemetryStatus['state'] = 'idle'
  let quarantined = 0
  let restarts = 0
  let settled = 0
  let pause = shortestPause
  let retry: NodeJS.Timeout | undefined
  let steady: NodeJS.Timeout | undefined
  let closed = false
  let lastId = 0
  let waitingBytes = 0
  const taking = new Map<number, { settle: (taken: Taken) => void; bytes: number }>()
  const asking = new Map<number, PromiseWithResolvers<string | Uint8Array>>()

  function start() {
    state = 'starting'
    const started = fork(entry, [JSON.stringify(setting)], {
      serialization: 'advanced',
      // None of the master's secrets are any business of it.
      env: {},
      execArgv: [],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc', 'pipe'],
    })
    child = started
    batches = started.stdio[batchPipe] as Writable
    // A process that ends meanwhile answers nothing; its end settles what waits.
    batches.on('error', () => undefined)
    started.on('message', (report: Report) => hear(report))
    started.on('error', (error) => log.error({ err: error }, 'the telemetry store cannot be started'))
    // Also for a process that could not be started.
    started.once('close', (code, signal) => ended(started, code, signal))
    if (exporting) send({ kind: 'export', setting: exporting.setting })
  }

  function hear(report: Report) {
    switch (report.kind) {
      case 'ready':
        state = 'ready'
        quarantined = report.quarantined
        steady = setTimeout(() => {
          pause = shortestPause
        }, steadyAfter)
        steady.unref()
        log.debug({ files: report.files, quarantined }, 'telemetry store ready')
        return
      case 'taken':
        settled += report.outcomes.length
        for (const { id, taken } of report.outcomes) settle(id, taken)
        return
      case 'answer':
        asking.get(report.id)?.resolve(report.content)
        return
      case 'failed':
        log.error({ reason: report.reason }, 'a question to the telemetry store failed')
        asking.get(report.id)?.reject(unavailable('the telemetry store could not answer'))
        return
      case 'describe':
        void describe(report.id, report.agents)
        return
      case 'exports':
        exports[report.signal] = report.status
        return
      case 'log':
        log[report.level](report.message)
        return
      case 'damaged':
        pause = shortestPause
        log.error({ reason: report.message }, 'a file of the telemetry store cannot be read; it was put aside')
        return
      default:
        report satisfies never
    }
  }

  async function describe(id: number, agents: string[]) {
    try {
      send({ kind: 'described', id, agents: (await exporting?.describe(agents)) ?? [] })
    } catch (error) {
      log.debug({ err: error }, 'agents cannot be described for the export')
      send({ kind: 'described', id })
    }
  }

  function ended(former: ChildProcess, code: number | null, signal: string | null) {
    if (child !== former) return
    child = undefined
    batches = undefined
    clearTimeout(steady)
    for (const id of taking.keys()) settle(id, { ok: false, reason: away })
    for (const question of asking.values()) question.reject(unavailable(away))
    if (closed) return
    state = 'away'
    restarts++
    log.warn({ code, signal, pause_ms: pause }, 'the telemetry store ended; it is started again')
    retry = setTimeout(start, pause)
    pause = Math.min(2 * pause, longestPause)
  }

  function settle(id: number, taken: Taken) {
    const waiting = taking.get(id)
    if (!waiting) return
    taking.delete(id)
    waitingBytes -= waiting.bytes
    waiting.settle(taken)
  }

  function send(order: Order) {
    child?.send(order, () => undefined)
  }

  function isThere(): boolean {
    if (state === 'idle' && !closed) start()
    return child !== undefined && !closed
  }

  async function put(query: Query | Exposition): Promise<string | Uint8Array> {
    if (!isThere()) throw unavailable(away)
    if (asking.size >= mostQuestions) throw unavailable('too many questions to the telemetry store wait for an answer')
    const id = ++lastId
    const question = Promise.withResolvers<string | Uint8Array>()
    asking.set(id, question)
    const limit = state === 'ready' ? patience.answer : patience.start + patience.answer
    const timer = setTimeout(() => {
      send({ kind: 'cancel', id })
      question.reject(unavailable('the telemetry store took too long to answer; ask for less'))
    }, limit)
    send({ kind: 'ask', id, query })
    try {
      return await question.promise
    } finally {
      clearTimeout(timer)
      asking.delete(id)
    }
  }

  const isDirectory = statSync(setting.directory, { throwIfNoEntry: false })?.isDirectory()
  if (isDirectory && listFiles(setting.directory).length > 0) start()

  return {
    take(batch) {
      if (!isThere()) return Promise.resolve({ ok: false, reason: away })
      if (waitingBytes > mostWaitingBytes) return Promise.resolve({ ok: false, reason: busy })
      return new Promise((resolve) => {
        const id = ++lastId
        const bytes = batch.bytes.length
        waitingBytes += bytes
        taking.set(id, { settle: resolve, bytes })
        batches?.cork()
        batches?.write(headOf(id, batch))
        batches?.write(batch.bytes)
        batches?.uncork()
      })
    },
    // What each is answered with is the other process' word.
    ask: (query) => put(query) as Promise<string>,
    expose: (query) => put(query) as Promise<Uint8Array>,
    status: () => ({ state, quarantined, restarts, settled, pid: child?.pid, exports }),
    async [Symbol.asyncDispose]() {
      closed = true
      clearTimeout(retry)
      clearTimeout(steady)
      const last = child
      if (!last) return
      const gone = new Promise<void>((resolve) => last.once('close', () => resolve()))
      send({ kind: 'close' })
      const timer = setTimeout(() => last.kill('SIGKILL'), patience.close)
      await gone
      clearTimeout(timer)
      state = 'idle'
    },
  }
}

function unavailable(message: string): ApiError {
  return new ApiError('SERVICE_UNAVAILABLE', message, [], { retryAfter: 5 })
}
