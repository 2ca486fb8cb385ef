import { setImmediate as turn } from 'node:timers/promises'
import { ApiError } from '@nxmesh/api/errors'
import { closeCodes } from '@nxmesh/api/events'
import { stillGood } from '../authenticate.ts'
import type { Ctx } from '../ctx.ts'
import type { Reconciler } from '../reconcilers.ts'
import { type Listener, openListener } from './listener.ts'
import { eventsAfter, newestOf, placeOf } from './log.ts'
import type { Limits, Pass, Socket } from './pass.ts'
import { openTails } from './tails.ts'
import { viewersOfEach } from './viewers.ts'

/** Passes events on to the clients of this master, in the order of their numbers. */
export interface Feed extends AsyncDisposable {
  reconciler: Reconciler
  /** Takes a place for one more socket of this principal, which the returned function gives back. Throws where that is too many. */
  takePlace(principal: string): () => void
  /** Where a client begins: at the event of its cursor, without one at what is committed from now on; undefined when that event is not known any longer. */
  placeOf(cursor: string | undefined): Promise<number | undefined>
  /** Takes a client in, which is told what came after its place first. The caller passes on what the socket says. */
  admit(socket: Socket, pass: Pass, place: number | undefined): Listener
  /** Lets go of a client whose socket has closed. */
  leave(listener: Listener): void
  size(): number
}

const perBatch = 100
const sendsPerTurn = 2000
const farewell = 1000

export async function openFeed(ctx: Ctx, limits: Limits): Promise<Feed> {
  const listeners = new Map<Listener, Socket>()
  // By principal, from the handshake on: many can be under way at once.
  const places = new Map<string, number>()
  const tails = openTails(ctx, limits)
  let head = await newestOf(ctx.db)
  let stopping = false
  let emptied: (() => void) | undefined

  const pings = setInterval(() => {
    for (const listener of listeners.keys()) listener.ping()
  }, limits.pingEvery)
  pings.unref()

  async function dismissEnded() {
    for (const listener of listeners.keys()) {
      if (listener.pass.ends <= ctx.now()) listener.end(closeCodes.unauthorized, 'the access token has expired')
    }
    if (listeners.size === 0) return
    const present = [...listeners.keys()]
    const good = await stillGood(ctx, new Set(present.map(({ pass }) => pass.actor)))
    for (const listener of present) {
      if (!good.has(listener.pass.actor.credential.id)) listener.end(closeCodes.unauthorized, 'the session or the API token has ended')
    }
  }

  async function passOn(): Promise<number> {
    const batch = await eventsAfter(ctx.db, head, perBatch)
    const [first, last] = [batch[0], batch.at(-1)]
    if (!first || !last) return 0
    // Away for so long that some were let go.
    if (first.seq > head + 1) for (const listener of listeners.keys()) listener.miss('feed')
    // Roles and sessions as they are now: after what is told.
    if (listeners.size > 0) await dismissEnded()
    const viewers = listeners.size > 0 ? await viewersOfEach(ctx.db, batch) : new Map()
    head = last.seq
    let sends = 0
    for (const listener of listeners.keys()) {
      sends += listener.deliver(batch, viewers)
      if (sends < sendsPerTurn) continue
      sends = 0
      await turn()
    }
    // So that what was sent goes out before there is more of it: the embedded database never waits.
    await turn()
    return batch.length
  }

  return {
    reconciler: {
      name: 'events',
      every: 1000,
      async run() {
        let events = 0
        for (let passed = await passOn(); passed > 0; passed = await passOn()) events += passed
        if (events === 0) await dismissEnded()
        return { listeners: listeners.size, events, head }
      },
    },
    takePlace(principal) {
      if (stopping) throw new ApiError('SERVICE_UNAVAILABLE', 'the master is stopping')
      const taken = places.get(principal) ?? 0
      if (taken >= limits.mostSockets) throw new ApiError('RATE_LIMITED', `more than ${limits.mostSockets} open sockets`)
      places.set(principal, taken + 1)
      return () => {
        const left = places.get(principal)! - 1
        if (left === 0) places.delete(principal)
        else places.set(principal, left)
      }
    },
    placeOf: (cursor) => (cursor === undefined ? newestOf(ctx.db) : placeOf(ctx.db, cursor)),
    admit(socket, pass, place) {
      const listener = openListener({ ctx, limits, head: () => head, tails }, socket, pass, place ?? head)
      listeners.set(listener, socket)
      if (place === undefined) listener.miss('last_event_id')
      if (stopping) listener.end(closeCodes.goingAway, 'the master is stopping')
      return listener
    },
    leave(listener) {
      listener.closed()
      listeners.delete(listener)
      if (listeners.size === 0) emptied?.()
    },
    size: () => listeners.size,
    async [Symbol.asyncDispose]() {
      stopping = true
      clearInterval(pings)
      tails[Symbol.dispose]()
      const left = new Promise<void>((resolve) => {
        emptied = resolve
      })
      for (const listener of listeners.keys()) listener.end(closeCodes.goingAway, 'the master is stopping')
      if (listeners.size === 0) return
      const timer = setTimeout(() => {
        for (const socket of listeners.values()) socket.terminate()
      }, farewell)
      await left
      clearTimeout(timer)
    },
  }
}
