import { randomUUID } from 'node:crypto'
import { ApiError } from '@nxmesh/api/errors'
import type { ClientMessage, ServerAnswer, Tail, TailMessage } from '@nxmesh/api/events'
import { authorise } from '../access.ts'
import type { Ctx } from '../ctx.ts'
import { toAnswer } from '../http/errors.ts'
import { readTail } from '../telemetry.ts'
import type { Limits, Pass } from './pass.ts'

/** A client, as far as it follows logs. */
export interface Follower {
  readonly pass: Pass
  /** Whether so much waits to be read by it that it gets nothing more now. */
  isBehind(): boolean
  isGone(): boolean
  say(text: string): void
}

/** The logs that clients of this master follow. One question at a time goes to the store, however many they are. */
export interface Tails extends Disposable {
  /** Answers, and from then on says what comes. Throws what cannot be followed. */
  open(follower: Follower, tail: Tail, requestId: string): Promise<void>
  close(follower: Follower, message: Extract<ClientMessage, { action: 'untail' }>, requestId: string): ServerAnswer
  leave(follower: Follower): void
}

interface Open {
  id: string
  follower: Follower
  tail: Tail
  next: number
  /** The batches that the store had dealt with when it was asked last. */
  asked: number
}

const pause = 500
const longPause = 5000
const mostEntries = 200
const mostInAll = 100

export function openTails(ctx: Ctx, { mostTails }: Pick<Limits, 'mostTails'>): Tails {
  const all = new Map<string, Open>()
  let timer: NodeJS.Timeout | undefined
  let going = false

  const of = (follower: Follower) => [...all.values()].filter((open) => open.follower === follower)

  function start(rest = pause) {
    if (going) return
    going = true
    timer = setTimeout(() => void round(), rest)
  }

  async function round() {
    let rest = pause
    for (const open of all.values()) {
      try {
        await tell(open)
      } catch (error) {
        if (!giveUp(open, error)) rest = longPause
      }
    }
    going = false
    if (all.size > 0) start(rest)
  }

  async function tell(open: Open) {
    const { settled, state } = ctx.telemetry.status()
    if (state !== 'ready' || open.asked === settled || open.follower.isBehind()) return
    const { id, tail, follower } = open
    await requireVisible(follower, tail)
    const part = await readTail(ctx, tail, open.next, mostEntries)
    const { next, skipped, rest } = partsOf(part)
    open.next = next
    open.asked = settled
    if (!all.has(id) || (skipped === '0' && rest === '"entries":[]}')) return
    follower.say(`{"type":"log.entries","tail_id":"${id}","log":"${tail.log}","skipped":${skipped},${rest}`)
  }

  // What is away now comes back, and what has come by then is told. Whoever may not see it any longer is told that.
  function giveUp({ id, follower }: Open, error: unknown): boolean {
    const { status, body } = toAnswer(ctx, error, id)
    if (status >= 500) return false
    if (all.delete(id)) follower.say(JSON.stringify({ type: 'tail.ended', tail_id: id, ...body } satisfies TailMessage))
    return true
  }

  async function requireVisible({ pass }: Follower, { filter: { workspace_id, agent_id } }: Tail): Promise<void> {
    await authorise(ctx.db, pass.actor, { on: 'workspace', need: 'viewer' }, { workspace_id })
    if (agent_id !== undefined) await authorise(ctx.db, pass.actor, { on: 'agent', need: 'viewer' }, { agent_id })
  }

  return {
    async open(follower, tail, requestId) {
      if (of(follower).length >= mostTails) throw new ApiError('CONFLICT', `a socket follows at most ${mostTails} logs`)
      if (all.size >= mostInAll) throw new ApiError('SERVICE_UNAVAILABLE', `more than ${mostInAll} logs are being followed at this master`)
      await requireVisible(follower, tail)
      const { next } = partsOf(await readTail(ctx, tail, undefined, mostEntries))
      if (follower.isGone()) return
      const id = randomUUID()
      all.set(id, { id, follower, tail, next, asked: -1 })
      follower.say(JSON.stringify({ type: 'tailing', request_id: requestId, tail_id: id } satisfies ServerAnswer))
      start()
    },
    close(follower, { tail_id }, requestId) {
      const own = of(follower)
      const closing = tail_id === undefined ? own : own.filter(({ id }) => id === tail_id)
      if (tail_id !== undefined && closing.length === 0) {
        const details = [{ field: 'tail_id', message: 'is no tail of this socket', code: 'UNKNOWN_REFERENCE' as const }]
        throw new ApiError('NOT_FOUND', 'there is no such tail', details)
      }
      for (const { id } of closing) all.delete(id)
      return { type: 'untailed', request_id: requestId, tails: of(follower).map(({ id }) => id) }
    },
    leave(follower) {
      for (const { id } of of(follower)) all.delete(id)
    },
    [Symbol.dispose]() {
      clearTimeout(timer)
      all.clear()
    },
  }
}

// Lines pass through as the text that the store made of them: they are not read and written again here.
function partsOf(part: string): { next: number; skipped: string; rest: string } {
  const [head, next, skipped] = /^\{"next":(\d+),"skipped":(\d+),/.exec(part) ?? []
  if (head === undefined || next === undefined || skipped === undefined) throw new Error('the telemetry store answered out of order')
  return { next: Number(next), skipped, rest: part.slice(head.length) }
}
