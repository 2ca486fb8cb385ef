import type { Counter } from './counters.ts'
import { type Ranges, take } from './sequences.ts'

export interface KeptCounter extends Counter {
  agent: string
  spool: string
  name: string
  labels: string
  /** The number of the row; with it goes about when it came. */
  seq: number
}

/** The batches of a spool that are durable. */
export interface Mark {
  agent: string
  kind: string
  spool: string
  ranges: Ranges
  /** When the last of them came, in milliseconds since the epoch. */
  at: number
}

/** What has to be known about the rows there are to add others: it can be found again in the newest file. */
export interface State {
  marks: Map<string, Mark>
  counters: Map<string, KeptCounter>
  /** What the counters of an agent take up; each new label value makes one. */
  perAgent: Map<string, number>
  /** Names of counters that an agent sent, by the same key without labels. */
  names: Set<string>
  /** The earliest that any counter of an agent's spool is known to count since. */
  spools: Map<string, number>
  /** The number of the next row. Rows come in the order of their numbers, and 1024 of them go into a millisecond. */
  seq: number
}

const perMillisecond = 1024
// About what a counter takes up in bytes, besides its texts. There is room for some 250,000 as our agents have them, 21 of each virtual host.
const sizeOfCounter = 200
const mostPerAgent = 84_000_000
const counterLifetime = 7 * 86_400_000

export function newState(): State {
  return { marks: new Map(), counters: new Map(), perAgent: new Map(), names: new Set(), spools: new Map(), seq: 0 }
}

export function markKey(agent: string, kind: string, spool: string): string {
  return `${agent}\0${kind}\0${spool}`
}

export function counterKey({ agent, spool, name, labels }: Pick<KeptCounter, 'agent' | 'spool' | 'name' | 'labels'>): string {
  return `${agent}\0${spool}\0${name}\0${labels}`
}

/** The number from which on rows came at a time, in milliseconds since the epoch, or later. */
export function rowsSince(time: number): number {
  return time * perMillisecond
}

/** Row numbers go with the clock, so that they rise from one start to the next whatever was lost between. */
export function advance(state: State, now: number): void {
  state.seq = Math.max(state.seq, rowsSince(now))
}

export function addMark(state: State, { agent, kind, spool, ranges, at }: Mark): void {
  const key = markKey(agent, kind, spool)
  const known = state.marks.get(key)
  state.marks.set(key, { agent, kind, spool, ranges: take(known?.ranges ?? [], ranges), at: Math.max(known?.at ?? 0, at) })
}

/** Remembers where a counter stands; false if its agent has too many to count them all. */
export function setCounter(state: State, counter: KeptCounter): boolean {
  const key = counterKey(counter)
  if (!state.counters.has(key)) {
    const size = (state.perAgent.get(counter.agent) ?? 0) + sizeOfCounter + counter.name.length + counter.labels.length
    if (size > mostPerAgent) return false
    state.perAgent.set(counter.agent, size)
    state.names.add(nameKey(counter.agent, counter.spool, counter.name))
  }
  state.counters.set(key, counter)
  const spool = spoolKey(counter.agent, counter.spool)
  state.spools.set(spool, Math.min(state.spools.get(spool) ?? counter.began, counter.began))
  return true
}

export function spoolBegan(state: State, agent: string, spool: string): number | undefined {
  return state.spools.get(spoolKey(agent, spool))
}

export function knowsName(state: State, agent: string, spool: string, name: string): boolean {
  return state.names.has(nameKey(agent, spool, name))
}

/** Forgets what nobody has spoken of for a long time. */
export function forgetOld(state: State, now: number, retentionDays: number): void {
  const oldest = now - retentionDays * 86_400_000
  for (const [key, mark] of state.marks) if (mark.at < oldest) state.marks.delete(key)
  const kept = [...state.counters.values()].filter(({ seq }) => seq / perMillisecond > now - counterLifetime)
  if (kept.length === state.counters.size) return
  state.counters.clear()
  state.perAgent.clear()
  state.names.clear()
  state.spools.clear()
  for (const counter of kept) setCounter(state, counter)
}

function spoolKey(agent: string, spool: string): string {
  return `${agent}\0${spool}`
}

function nameKey(agent: string, spool: string, name: string): string {
  return `${agent}\0${spool}\0${name}`
}
