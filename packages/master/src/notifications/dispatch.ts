import type { Ctx } from '../ctx.ts'
import type { ChannelRow, DeliveryRow } from '../db/schema-events.ts'
import type { Reconciler } from '../reconcilers.ts'
import { claim, dueChannels, release, settle } from './attempts.ts'
import { mostWaiting } from './bound.ts'
import { fanOut } from './fan-out.ts'
import { messageOf, openTarget } from './message.ts'
import { failure } from './outcome.ts'
import { backoff } from './schedule.ts'

/** How deliveries are tried. Times are in seconds. */
export interface Pace {
  backoff: (attempt: number) => number
  /** For how long an attempt is its master's own. Longer than any takes. */
  lease: number
  /** Attempts at once: in all, and for one channel. */
  mostAtOnce: number
  mostPerChannel: number
  /** Deliveries that may wait for one channel. */
  mostWaiting: number
}

export const defaultPace: Pace = { backoff: (attempt) => backoff(attempt), lease: 60, mostAtOnce: 32, mostPerChannel: 4, mostWaiting }

/** Makes deliveries of what happens, and tries those that are due. */
export interface Dispatch extends AsyncDisposable {
  reconciler: Reconciler
}

export function openDispatch(ctx: Ctx, pace: Pace): Dispatch {
  const stop = new AbortController()
  const underWay = new Set<Promise<void>>()
  const busy = new Map<string, { attempts: number; isFailing: boolean }>()

  // Channels of which nothing arrives get one attempt at a time, and half of all at most: they must not hold up the others.
  function roomFor({ id, failing_since }: Pick<ChannelRow, 'id' | 'failing_since'>): number {
    const isFailing = failing_since !== null
    let [all, failing] = [0, 0]
    for (const other of busy.values()) {
      all += other.attempts
      if (other.isFailing) failing += other.attempts
    }
    const own = (isFailing ? 1 : pace.mostPerChannel) - (busy.get(id)?.attempts ?? 0)
    const left = isFailing ? Math.floor(pace.mostAtOnce / 2) - failing : Infinity
    return Math.max(0, Math.min(own, pace.mostAtOnce - all, left))
  }

  async function attempt(channel: ChannelRow, delivery: DeliveryRow): Promise<void> {
    const begun = performance.now()
    const sent = async () => ctx.sender.send(openTarget(ctx, channel), await messageOf(ctx, delivery), stop.signal)
    const outcome = await sent().catch((error: unknown) => failure(error instanceof Error ? error.message : String(error)))
    if (stop.signal.aborted && outcome.result !== 'delivered') return release(ctx, delivery)
    ctx.monitoring.notified(channel.kind, outcome.result)
    await settle(ctx, channel, delivery, { ...outcome, duration_ms: Math.round(performance.now() - begun) }, pace.backoff)
  }

  function start(channel: ChannelRow, delivery: DeliveryRow): void {
    const own = busy.get(channel.id) ?? { attempts: 0, isFailing: false }
    busy.set(channel.id, { attempts: own.attempts + 1, isFailing: channel.failing_since !== null })
    const trying = attempt(channel, delivery)
      // Nothing is lost: it is tried again when the lease is over.
      .catch((error: unknown) => ctx.log.warn({ err: error, delivery: delivery.id }, 'what came of a delivery was not written'))
      .finally(() => {
        underWay.delete(trying)
        const { attempts, isFailing } = busy.get(channel.id)!
        if (attempts > 1) busy.set(channel.id, { attempts: attempts - 1, isFailing })
        else busy.delete(channel.id)
        if (!stop.signal.aborted) ctx.wake('notifications')
      })
    underWay.add(trying)
  }

  async function startDue(): Promise<number> {
    let started = 0
    for (const channel of shuffled(await dueChannels(ctx.db))) {
      const room = roomFor(channel)
      if (room === 0 || stop.signal.aborted) continue
      for (const delivery of await claim(ctx, channel.id, room, pace.lease)) {
        start(channel, delivery)
        started++
      }
    }
    return started
  }

  return {
    reconciler: {
      name: 'notifications',
      every: 1000,
      async run() {
        let events = 0
        for (let made = 1; made > 0; events += made) made = await fanOut(ctx, pace.mostWaiting)
        return { events, started: await startDue(), under_way: underWay.size }
      },
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await Promise.all(underWay)
    },
  }
}

// So that no channel comes last each time.
function shuffled<T>(items: T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .toSorted((a, b) => a.place - b.place)
    .map(({ item }) => item)
}
