import { setTimeout as delay } from 'node:timers/promises'
import type { KnownAgent } from './resource.ts'

export interface KnownAgents {
  /** What is known of agents; waits until somebody can say. */
  of(agents: Iterable<string>, signal: AbortSignal): Promise<ReadonlyMap<string, KnownAgent>>
  /** What the main process says; undefined while it cannot. */
  hear(id: number, known: KnownAgent[] | undefined): void
}

const lifetime = 300_000
const askAgainAfter = 2000
const mostKept = 50_000

/** Remembers what the main process says of agents, which it has from the database. */
export function openKnownAgents(ask: (id: number, agents: string[]) => void): KnownAgents {
  const kept = new Map<string, { at: number; known: KnownAgent | undefined }>()
  const asking = new Map<number, (known: KnownAgent[] | undefined) => void>()
  let lastId = 0

  async function answerTo(agents: string[], signal: AbortSignal): Promise<KnownAgent[] | undefined> {
    const { promise, resolve } = Promise.withResolvers<KnownAgent[] | undefined>()
    const giveUp = () => resolve(undefined)
    asking.set(++lastId, resolve)
    signal.addEventListener('abort', giveUp)
    ask(lastId, agents)
    const said = await promise
    signal.removeEventListener('abort', giveUp)
    return said
  }

  return {
    async of(agents, signal) {
      const wanted = [...agents]
      for (;;) {
        const now = performance.now()
        const due = wanted.filter((id) => (kept.get(id)?.at ?? Number.NEGATIVE_INFINITY) < now - lifetime)
        if (due.length === 0) break
        const said = await answerTo(due, signal)
        if (said) {
          if (kept.size > mostKept) kept.clear()
          const found = new Map(said.map((known) => [known.id, known]))
          for (const id of due) kept.set(id, { at: now, known: found.get(id) })
        } else if (wanted.every((id) => kept.has(id))) break
        else await delay(askAgainAfter, undefined, { signal })
      }
      return new Map(wanted.flatMap((id) => kept.get(id)?.known ?? []).map((known) => [known.id, known]))
    },
    hear(id, known) {
      asking.get(id)?.(known)
      asking.delete(id)
    },
  }
}
