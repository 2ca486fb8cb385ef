import { Worker } from 'node:worker_threads'
import type { BatchKind, Sample } from '../link/batches.ts'
import type { Log } from '../scope.ts'
import type { BatchName, FromThread, Outcome, ThreadSetting, ToThread } from './messages.ts'

/** Sends a batch over a session; the id that its acknowledgement will bear, or undefined while the connection takes no more. */
export type SendBatch = (kind: BatchKind, bytes: Uint8Array) => string | undefined

/** Passes batches from the thread that follows the logs on to the master, and what became of them back. */
export interface Shipping extends AsyncDisposable {
  /** A session has begun; what was not acknowledged before is sent again. */
  opened(send: SendBatch, takesRows: boolean): void
  /** The connection takes more again. */
  drained(): void
  closed(): void
  /** Whether an acknowledgement was for a batch of ours. */
  answered(id: string, success: boolean, reason: string): boolean
  measured(samples: Sample[]): void
}

// Beside this file, also where both have been bundled.
const entry = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.mjs', import.meta.url)
const restartPauseMs = 10_000
const mostHeapMb = 32

export function startShipping(setting: ThreadSetting, log: Log): Shipping {
  const underWay = new Map<string, BatchName>()
  let queue: { batch: BatchName; bytes: Uint8Array }[] = []
  let send: SendBatch | undefined
  let takesRows = false
  let restart: NodeJS.Timeout | undefined
  let stopping = false
  let ended: Promise<void> = Promise.resolve()
  let thread = begin()

  function begin(): Worker {
    const started = new Worker(entry, {
      workerData: setting,
      resourceLimits: { maxOldGenerationSizeMb: mostHeapMb, maxYoungGenerationSizeMb: 4 },
      stdout: false,
      stderr: false,
    })
    started.on('message', (message: FromThread) => hear(message))
    // Nothing is lost with it: the next one goes on where the checkpoint is.
    started.on('error', (cause: Error) => log('error', 'the logs of nginx are not followed for a moment', { error: cause.message }))
    ended = new Promise((resolve) => started.once('exit', () => resolve()))
    started.on('exit', () => {
      if (stopping || started !== thread) return
      restart = setTimeout(() => {
        thread = begin()
        if (send) opened(send, takesRows)
      }, restartPauseMs)
    })
    started.unref()
    return started
  }

  function tell(message: ToThread) {
    thread.postMessage(message)
  }

  function hear(message: FromThread) {
    if (message.kind === 'batch') {
      if (!send) return
      queue.push(message)
      return flush()
    }
    if (message.kind === 'loss') return log('warn', 'lines of a log of nginx are lost', { error: message.message })
    if (message.message === undefined) log('info', 'the logs of nginx are followed again')
    else log('error', 'the logs of nginx cannot be followed; they are read later', { error: message.message })
  }

  function flush() {
    for (let next = queue[0]; next && send; next = queue[0]) {
      const id = send(next.batch.kind, next.bytes)
      if (id === undefined) return
      queue.shift()
      underWay.set(id, next.batch)
    }
  }

  function opened(how: SendBatch, rows: boolean) {
    send = how
    takesRows = rows
    queue = []
    underWay.clear()
    tell({ kind: 'session', open: true, takesRows })
  }

  return {
    opened,
    drained: flush,
    closed() {
      if (!send) return
      send = undefined
      queue = []
      underWay.clear()
      tell({ kind: 'session', open: false })
    },
    answered(id, success, reason) {
      const batch = underWay.get(id)
      if (!batch) return false
      underWay.delete(id)
      const outcome: Outcome = success ? 'stored' : reason.includes('try again later') ? 'later' : 'refused'
      if (outcome === 'refused') log('warn', 'the master refuses a batch of telemetry', { error: reason })
      tell({ kind: 'outcome', batch, outcome })
      return true
    },
    measured: (samples) => tell({ kind: 'gauges', samples }),
    async [Symbol.asyncDispose]() {
      stopping = true
      clearTimeout(restart)
      tell({ kind: 'stop' })
      const patience = setTimeout(() => void thread.terminate(), 2000)
      thread.ref()
      await ended
      clearTimeout(patience)
    },
  }
}
