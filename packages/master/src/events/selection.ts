import { isOfPattern } from '@nxmesh/api/events'
import type { Told } from './log.ts'

/** What a client asked to be told. */
export interface Subscription {
  id: string
  events: string[]
  filter: { workspace_id?: string | undefined; agent_id?: string | undefined }
  /** It is told what comes after this number. */
  from: number
  /** Up to this number its events are history that had gone past when it was made. */
  until: number
}

type Event = Pick<Told, 'seq' | 'type' | 'workspace_id' | 'agentId'>

/**
 * Whether an event has yet to be sent to a client that has been told all up to `high`. Below that, it is only due to
 * subscriptions that fetch history, and only if no other one has brought it when it was new.
 */
export function isDue(subscriptions: Iterable<Subscription>, event: Event, high: number): boolean {
  let due = false
  for (const subscription of subscriptions) {
    if (event.seq <= subscription.from || !isWanted(subscription, event)) continue
    if (event.seq > high) return true
    if (event.seq > subscription.until) return false
    due = true
  }
  return due
}

function isWanted({ events, filter }: Subscription, { type, workspace_id, agentId }: Event): boolean {
  if (filter.workspace_id !== undefined && filter.workspace_id !== workspace_id) return false
  if (filter.agent_id !== undefined && filter.agent_id !== agentId) return false
  return events.some((pattern) => isOfPattern(pattern, type))
}
