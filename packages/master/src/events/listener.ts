import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises'
import { ApiError } from '@nxmesh/api/errors'
import { type ClientMessage, closeCodes } from '@nxmesh/api/events'
import { reaches } from '../access.ts'
import type { Ctx } from '../ctx.ts'
import { toAnswer } from '../http/errors.ts'
import { eventsAfter, oldestOf, type Told } from './log.ts'
import { errorText, readMessage } from './messages.ts'
import type { Limits, Pass, Socket } from './pass.ts'
import { isDue, type Subscription } from './selection.ts'
import { subscriptionsOf } from './subscriptions.ts'
import type { Tails } from './tails.ts'
import { type Viewers, viewersOfEach } from './viewers.ts'

/** One client, from the opening of its socket to its end. */
export interface Listener {
  readonly pass: Pass
  /** Sends what is due of new events; returns how much was sent. Who still reads history is passed over: it comes to them there. */
  deliver(events: readonly Told[], viewers: Viewers): number
  hear(text: string): void
  /** Notes that the client answered a ping. */
  answered(): void
  /** Sends a ping, unless the last one was not answered: then the client is gone. */
  ping(): void
  end(code: number, reason: string): void
  /** Says that events it should have been told are no longer kept, and ends. */
  miss(requestId: string): void
  closed(): void
}

interface Scope {
  ctx: Ctx
  limits: Limits
  /** The number up to which events have been passed on. */
  head: () => number
  tails: Tails
}

const perPage = 200
const window = 10_000

/** Opens a listener that is told what comes after the number `from`. */
export function openListener({ ctx, limits, head, tails }: Scope, socket: Socket, pass: Pass, from: number): Listener {
  // All up to `position` is dealt with; all up to `high` has been at some time. Live means that nothing is read from the log.
  let position = from
  let high = from
  let live = false
  let over = false
  let isAlive = true
  let heard = { since: 0, messages: 0 }
  let answering = Promise.resolve()
  const follower = { pass, isBehind: () => socket.bufferedAmount > limits.mostWaiting, isGone: () => over, say }
  const subscriptions = subscriptionsOf(ctx, pass, limits.mostSubscriptions, from)

  function offer(event: Told, viewers: Viewers): boolean {
    if (!viewers.get(event.workspace_id)?.has(pass.actor.user_id)) return false
    if (!reaches(pass.actor, { id: event.workspace_id, organization_id: event.organization_id })) return false
    if (!isDue(subscriptions.all(), event, high)) return false
    socket.send(event.frame, { binary: false })
    return true
  }

  function passed(seq: number) {
    position = Math.max(position, seq)
    high = Math.max(high, position)
  }

  function end(code: number, reason: string) {
    if (over) return
    over = true
    ctx.log.info({ principal: pass.principal, code, reason }, 'listener dismissed')
    socket.close(code, reason)
  }

  function miss(requestId: string) {
    const message = 'events after this one are no longer kept; read the state anew and listen from now on'
    const details = [{ field: 'last_event_id', message, code: 'UNKNOWN_REFERENCE' as const }]
    say(errorText(toAnswer(ctx, new ApiError('NOT_FOUND', message, details), requestId).body))
    end(closeCodes.gone, 'the events asked for are no longer kept')
  }

  function say(text: string) {
    if (!over) socket.send(text, { binary: false })
  }

  async function readHistory() {
    live = false
    await untilRead()
    while (!over && position < head()) {
      const [start, known] = [position, head()]
      const page = await eventsAfter(ctx.db, start, perPage, soleWorkspace(subscriptions.all()))
      if ((await oldestOf(ctx.db)) > start + 1) return miss('history')
      const viewers = await viewersOfEach(ctx.db, page)
      // Meanwhile the client may have asked for something older.
      if (over || position !== start) continue
      const last = page.at(-1)?.seq ?? 0
      for (const event of page) offer(event, viewers)
      passed(page.length < perPage ? Math.max(known, last) : last)
      await turn()
      await untilRead()
    }
    live = true
  }

  async function untilRead() {
    const begun = performance.now()
    while (!over && socket.bufferedAmount > limits.mostWaiting) {
      if (performance.now() - begun > limits.drainWithin) return end(closeCodes.slow, 'what is sent is not read')
      await delay(20)
    }
  }

  function startReading() {
    if (!live) return
    live = false
    read()
  }

  function read() {
    readHistory().catch((error: unknown) => {
      ctx.log.warn({ err: error }, 'events could not be read for a listener')
      end(1011, 'events cannot be read now')
    })
  }

  async function answer(text: string): Promise<void> {
    const { requestId, message } = readMessage(text)
    try {
      if (message instanceof ApiError) throw message
      switch (message.action) {
        case 'subscribe':
          return await subscribe(message, requestId)
        case 'unsubscribe':
          return say(JSON.stringify(subscriptions.remove(message, requestId)))
        case 'tail':
          return await tails.open(follower, message, requestId)
        case 'untail':
          return say(JSON.stringify(tails.close(follower, message, requestId)))
        default:
          message satisfies never
      }
    } catch (error) {
      say(errorText(toAnswer(ctx, error, requestId).body))
    }
  }

  async function subscribe(message: Extract<ClientMessage, { action: 'subscribe' }>, requestId: string): Promise<void> {
    const { answer: told, rewind } = await subscriptions.add(message, requestId, { position: () => position, high: () => high })
    say(JSON.stringify(told))
    if (rewind === undefined || rewind >= position) return
    position = rewind
    startReading()
  }

  read()
  return {
    pass,
    deliver(events, viewers) {
      if (!live || over) return 0
      let count = 0
      for (const event of events) if (event.seq > position && offer(event, viewers)) count++
      passed(events.at(-1)!.seq)
      // The rest comes to it from the log, as fast as it reads.
      if (socket.bufferedAmount > limits.mostWaiting) startReading()
      return count
    },
    hear(text) {
      const now = performance.now()
      if (now - heard.since > window) heard = { since: now, messages: 0 }
      if (++heard.messages > limits.mostMessages) return end(closeCodes.policy, `more than ${limits.mostMessages} messages in ten seconds`)
      answering = answering.then(() => (over ? undefined : answer(text)))
    },
    answered() {
      isAlive = true
    },
    ping() {
      if (over) return
      if (!isAlive) return socket.terminate()
      isAlive = false
      socket.ping()
    },
    end,
    miss,
    closed() {
      over = true
      tails.leave(follower)
    },
  }
}

function soleWorkspace(subscriptions: Iterable<Subscription>): string | undefined {
  const all = new Set([...subscriptions].map(({ filter }) => filter.workspace_id))
  return all.size === 1 ? [...all][0] : undefined
}
