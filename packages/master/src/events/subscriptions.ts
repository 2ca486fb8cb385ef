import { randomUUID } from 'node:crypto'
import { ApiError } from '@nxmesh/api/errors'
import type { ClientMessage, ServerAnswer } from '@nxmesh/api/events'
import { authorise, reaches } from '../access.ts'
import type { Ctx } from '../ctx.ts'
import { eventsUpTo, newestOf, placeOf } from './log.ts'
import type { Pass } from './pass.ts'
import type { Subscription } from './selection.ts'
import { viewersOfEach } from './viewers.ts'

type Subscribe = Extract<ClientMessage, { action: 'subscribe' }>
type Unsubscribe = Extract<ClientMessage, { action: 'unsubscribe' }>

/** Where a listener stands at the moment of the call. */
interface Place {
  position(): number
  high(): number
}

/** The subscriptions of a client. Before it has made one, it is told everything that it may see. */
export interface Subscriptions {
  all(): Iterable<Subscription>
  /** Makes a subscription; `rewind` is the number from which its history has to be read. */
  add(message: Subscribe, requestId: string, place: Place): Promise<{ answer: ServerAnswer; rewind: number | undefined }>
  remove(message: Unsubscribe, requestId: string): ServerAnswer
}

const recent = 200

export function subscriptionsOf(ctx: Ctx, { actor }: Pass, most: number, from: number): Subscriptions {
  let own = new Map<string, Subscription>()
  let everything: Subscription | undefined = { id: '', events: ['*'], filter: {}, from, until: from }

  async function requireVisible({ workspace_id, agent_id }: Subscription['filter']): Promise<void> {
    const see = { need: 'viewer' } as const
    if (workspace_id !== undefined) await authorise(ctx.db, actor, { on: 'workspace', ...see }, { workspace_id })
    if (agent_id !== undefined) await authorise(ctx.db, actor, { on: 'agent', ...see }, { agent_id })
  }

  // Not simply the newest event: whose that is is none of this client's business.
  async function newestSeen(upTo: number): Promise<string | null> {
    const events = await eventsUpTo(ctx.db, upTo, recent)
    const viewers = await viewersOfEach(ctx.db, events)
    const seen = events.find(
      ({ workspace_id: id, organization_id }) => viewers.get(id)?.has(actor.user_id) && reaches(actor, { id, organization_id }),
    )
    return seen?.id ?? null
  }

  return {
    all: () => (everything ? [everything] : own.values()),
    async add({ events, filter, after }, requestId, place) {
      if (own.size >= most) throw new ApiError('CONFLICT', `a socket has at most ${most} subscriptions`)
      await requireVisible(filter)
      const start = after === undefined ? undefined : await placeOf(ctx.db, after)
      if (after !== undefined && start === undefined) {
        const message = 'is not an event that is still kept; read the state anew and subscribe without it'
        throw new ApiError('NOT_FOUND', 'the history asked for is no longer kept', [{ field: 'after', message, code: 'UNKNOWN_REFERENCE' }])
      }
      const newest = await newestOf(ctx.db)
      const last_event_id = after ?? (await newestSeen(everything ? place.position() : newest))
      // Nothing waits from here on, so what is read of the place is true of the subscription.
      if (start !== undefined && [...own.values()].some(({ until }) => place.position() < until)) {
        throw new ApiError('CONFLICT', 'history is still being sent; ask for more of it when that has come')
      }
      if (start !== undefined) for (const other of own.values()) other.until = other.from
      // The first one goes on where the client stands.
      const present = everything ? place.position() : Math.max(newest, place.position())
      const subscription = { id: randomUUID(), events, filter, from: start ?? present, until: start === undefined ? present : place.high() }
      everything = undefined
      own.set(subscription.id, subscription)
      const answer = { type: 'subscribed', request_id: requestId, subscription_id: subscription.id, events, filter, last_event_id } as const
      return { answer, rewind: start }
    },
    remove({ subscription_id, events }, requestId) {
      if (subscription_id !== undefined && !own.has(subscription_id)) {
        const details = [{ field: 'subscription_id', message: 'is no subscription of this socket', code: 'UNKNOWN_REFERENCE' as const }]
        throw new ApiError('NOT_FOUND', 'there is no such subscription', details)
      }
      everything = undefined
      const chosen = (id: string) => subscription_id === undefined || subscription_id === id
      const left = ({ id, events: before }: Subscription) =>
        chosen(id) ? (events === undefined ? [] : before.filter((pattern) => !events.includes(pattern))) : before
      own = new Map(
        [...own].flatMap(([id, subscription]) => {
          const rest = left(subscription)
          return rest.length === 0 ? [] : [[id, { ...subscription, events: rest }] as const]
        }),
      )
      return { type: 'unsubscribed', request_id: requestId, subscriptions: [...own.keys()] }
    },
  }
}
