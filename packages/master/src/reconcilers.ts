import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'

/** A task without arguments that brings something closer to what the database says, and can always be run again. */
export interface Reconciler {
  name: string
  /** Runs at least this often, in milliseconds. */
  every: number
  run(signal: AbortSignal): Promise<object>
}

export type ReconcilerName =
  | 'rollout'
  | 'liveness'
  | 'housekeeping'
  | 'masters'
  | 'signing-keys'
  | 'events'
  | 'alerts'
  | 'notifications'
  | 'certificates'
export type Wake = (name: ReconcilerName) => void

export interface ReconcilerStatus {
  name: string
  runs: number
  finished_at: number | null
  last: object | null
  error: string | null
}

/** Runs reconcilers until disposed: each on its timer and when woken, one run at a time, a wake during a run causing one more. */
export function startReconcilers(reconcilers: Reconciler[], log: Logger, now: () => number) {
  const stop = new AbortController()
  const loops = new Map(reconcilers.map((reconciler) => [reconciler.name, startLoop(reconciler, log, now, stop.signal)]))
  return {
    wake(name: ReconcilerName) {
      loops.get(name)?.wake()
    },
    statuses(): ReconcilerStatus[] {
      return [...loops.values()].map((loop) => loop.status)
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      for (const loop of loops.values()) loop.wake()
      await Promise.all([...loops.values()].map((loop) => loop.ended))
    },
  }
}

function startLoop(reconciler: Reconciler, log: Logger, now: () => number, signal: AbortSignal) {
  const status: ReconcilerStatus = { name: reconciler.name, runs: 0, finished_at: null, last: null, error: null }
  let woken = Promise.withResolvers<void>()
  async function loop() {
    while (!signal.aborted) {
      woken = Promise.withResolvers()
      try {
        status.last = await reconciler.run(signal)
        status.error = null
      } catch (error) {
        if (signal.aborted) break
        status.error = error instanceof Error ? error.message : String(error)
        log.error({ err: error, reconciler: reconciler.name }, 'reconciler failed')
      }
      status.runs++
      status.finished_at = now()
      await wakeOrTimer(woken.promise, reconciler.every, signal)
    }
  }
  return { status, wake: () => woken.resolve(), ended: loop() }
}

async function wakeOrTimer(woken: Promise<void>, every: number, signal: AbortSignal): Promise<void> {
  const timer = new AbortController()
  const timed = delay(every, undefined, { signal: AbortSignal.any([timer.signal, signal]) }).catch(() => undefined)
  await Promise.race([woken, timed])
  timer.abort()
}
