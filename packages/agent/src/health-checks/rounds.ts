import { setTimeout as delay } from 'node:timers/promises'
import type { Failure } from './count.ts'
import { probe } from './probe.ts'
import type { Target } from './targets.ts'

/** Probes servers, each once in its interval, at most so many at a time. */
export interface Rounds extends AsyncDisposable {
  /** Begins to probe a server, first at a random moment of its interval so that probes spread; the signal ends it. */
  begin(target: () => Target, signal: AbortSignal, onResult: (failure: Failure) => void): void
}

export function startRounds(mostAtOnce: number): Rounds {
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const queue: (() => void)[] = []
  let free = mostAtOnce

  async function enter(): Promise<void> {
    if (free > 0) {
      free--
      return
    }
    await new Promise<void>((resolve) => queue.push(resolve))
  }

  function leave(): void {
    const next = queue.shift()
    if (next) next()
    else free++
  }

  async function run(target: () => Target, signal: AbortSignal, onResult: (failure: Failure) => void): Promise<void> {
    let due = performance.now() + Math.random() * target().check.interval * 1000
    while (!signal.aborted) {
      await delay(Math.max(0, due - performance.now()), undefined, { signal }).catch(() => undefined)
      if (signal.aborted) return
      await enter()
      try {
        if (signal.aborted) return
        const failure = await probe(target(), signal)
        if (!signal.aborted) onResult(failure)
      } finally {
        leave()
      }
      // In step with the clock, whatever the answer took; never twice at a time.
      due = Math.max(due + target().check.interval * 1000, performance.now())
    }
  }

  return {
    begin(target, signal, onResult) {
      const round = run(target, AbortSignal.any([signal, stopping.signal]), onResult).finally(() => running.delete(round))
      running.add(round)
    },
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await Promise.all(running)
    },
  }
}
