import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { writeAgents } from './agent-batch.ts'
import { type Connection, findsSameDown, warnsOfSame } from './agent-events.ts'
import { stateOf } from './agent-state.ts'
import type { AgentRow, ApplyRow, Database } from './db/schema.ts'

/** What the master learns about an agent from the agent itself, and from having sent it something. */
export type AgentFacts = Pick<AgentRow, (typeof factColumns)[number]>

const factColumns = [
  'registered_at',
  'upgraded_at',
  'machine_id',
  'boot_id',
  'hostname',
  'ip_address',
  'agent_version',
  'deployment_mode',
  'capabilities',
  'capability',
  'reported_labels',
  'connected',
  'master_id',
  'last_seen_at',
  'heartbeat_interval_seconds',
  'health',
  'sent_version',
  'sent_digest',
  'applied_version',
  'applied_digest',
  'serving_digest',
  'rejected_digest',
  'config_status',
  'config_error',
  'findings',
  'left_out',
  'drift',
  'nginx',
  'sent_labels',
  'applied_labels',
  'alerts',
  'state',
  'state_reason',
] as const

type Changes = Partial<Omit<AgentFacts, 'state' | 'state_reason' | 'master_id'>>

/** How soon a change must be in the database: as soon as the write before it ended, or with the next beat of a second. */
export type Urgency = 'now' | 'soon'

/** Writes what is learned about agents: many changes in few transactions, and the facts of connected agents kept at hand. */
export interface AgentWrites extends AsyncDisposable {
  /** Keeps the facts of an agent at hand, from its row, until they are released. */
  hold(row: AgentRow): void
  /** The present facts of a held agent, newer than its row. */
  facts(agentId: string): Readonly<AgentFacts> | undefined
  /** Merges a change into the facts of an agent; its state is derived anew. */
  change(agentId: string, changes: Changes, urgency?: Urgency): void
  /** Like `change`, for one that begins or ends the connection of an agent. */
  reconnect(agentId: string, changes: Changes, connection: Connection): void
  /** Keeps an attempt of an agent to apply a config; it is written with the next change of the agent. */
  record(apply: ApplyRow): void
  /** Whether changes of an agent are not in the database yet. */
  isPending(agentId: string): boolean
  /** Writes all that is known of a held agent, over what anybody else wrote. */
  restate(agentId: string): void
  /** Lets go of the facts of an agent once they are written. */
  release(agentId: string): void
  /** Resolves when the changes of one agent, or of all, that were made before this call are in the database. */
  flush(agentId?: string): Promise<void>
}

const perTransaction = 250
const beat = 1000

/** The master that writes: an agent that is held is its own, until another master takes the agent over. */
export interface Holder {
  masterId: string
  /** Is told of an agent that this master holds, and that is no longer its own. */
  onLost: (agentId: string) => void
  /** Is told of each attempt to apply a config that was not known. */
  onApplied: (attempt: ApplyRow) => void
  /** Is told when events have been written. */
  onTold: () => void
  now: () => number
}

export function openAgentWrites(db: Kysely<Database>, log: Logger, { masterId, onLost, onApplied, onTold, now }: Holder): AgentWrites {
  const held = new Map<string, AgentFacts>()
  const released = new Set<string>()
  const urgent = new Map<string, Partial<AgentFacts>>()
  const patient = new Map<string, Partial<AgentFacts>>()
  const writing = new Map<string, Partial<AgentFacts>>()
  const attempts = new Map<string, ApplyRow[]>()
  const watched = new Map<string, Connection>()
  let running: Promise<void> | undefined

  function change(agentId: string, changes: Changes, urgency: Urgency = 'now') {
    const facts = held.get(agentId)
    const merged: Partial<AgentFacts> = { ...urgent.get(agentId), ...patient.get(agentId), ...changes }
    let soonest = urgency
    if (facts) {
      const before = { ...facts }
      Object.assign(facts, changes)
      // The first word on an agent that is held takes it over.
      if (facts.master_id !== masterId) {
        facts.master_id = masterId
        merged.master_id = masterId
      }
      const { state, reason } = stateOf(facts)
      if (state !== facts.state || reason !== facts.state_reason) {
        Object.assign(facts, { state, state_reason: reason })
        Object.assign(merged, { state, state_reason: reason })
        soonest = 'now'
      }
      if (isTold(before, facts)) watch(agentId)
    }
    if (soonest === 'now' || urgent.has(agentId)) {
      patient.delete(agentId)
      urgent.set(agentId, merged)
      start()
    } else {
      patient.set(agentId, merged)
    }
  }

  function watch(agentId: string, connection: Connection = {}) {
    watched.set(agentId, { ...watched.get(agentId), ...connection })
  }

  // The first change waits for the end of the present turn of the event loop, so that changes made together are written together.
  function start() {
    running ??= new Promise<void>((resolve) => setImmediate(resolve)).then(writeBatch).finally(() => {
      running = undefined
      if (urgent.size > 0) start()
    })
  }

  async function writeBatch() {
    for (const [agentId, changes] of urgent) {
      writing.set(agentId, changes)
      urgent.delete(agentId)
      if (writing.size === perTransaction) break
    }
    const ended = [...writing.keys()].flatMap((agentId) => attempts.get(agentId) ?? [])
    for (const agentId of writing.keys()) attempts.delete(agentId)
    const looked = new Map([...writing.keys()].flatMap((agentId) => watchedEntry(agentId)))
    for (const agentId of looked.keys()) watched.delete(agentId)
    const holderOf = (agentId: string) => held.has(agentId) && masterId
    const batch = { changes: writing, attempts: ended, watched: looked, at: new Date(now()).toISOString(), holderOf }
    try {
      const { lost, applied, told } = await writeAgents(db, batch)
      for (const attempt of applied) onApplied(attempt)
      for (const agentId of lost) onLost(agentId)
      if (told > 0) onTold()
    } catch (error) {
      log.error({ err: error, agents: writing.size }, 'facts of agents could not be written; trying again')
      for (const apply of ended.reverse()) attempts.set(apply.agent_id, [apply, ...(attempts.get(apply.agent_id) ?? [])])
      for (const [agentId, connection] of looked) watched.set(agentId, { ...connection, ...watched.get(agentId) })
      // Put back for the next beat, older changes under newer ones: an agent is never in two of the maps that wait.
      for (const [agentId, changes] of writing) {
        patient.set(agentId, { ...changes, ...urgent.get(agentId), ...patient.get(agentId) })
        urgent.delete(agentId)
      }
    }
    writing.clear()
    for (const agentId of released) if (!isPending(agentId)) letGo(agentId)
  }

  function watchedEntry(agentId: string): [string, Connection][] {
    const connection = watched.get(agentId)
    return connection ? [[agentId, connection]] : []
  }

  function isPending(agentId: string): boolean {
    return urgent.has(agentId) || patient.has(agentId) || writing.has(agentId)
  }

  function letGo(agentId: string) {
    released.delete(agentId)
    held.delete(agentId)
  }

  function hurry(agentId?: string) {
    for (const [id, changes] of patient) {
      if (agentId !== undefined && id !== agentId) continue
      patient.delete(id)
      urgent.set(id, changes)
    }
    if (urgent.size > 0) start()
  }

  const timer = setInterval(() => hurry(), beat)
  timer.unref()

  return {
    hold(row) {
      released.delete(row.id)
      const known = { ...row, ...writing.get(row.id), ...urgent.get(row.id), ...patient.get(row.id) }
      held.set(row.id, Object.fromEntries(factColumns.map((column) => [column, known[column]])) as unknown as AgentFacts)
    },
    facts: (agentId) => held.get(agentId),
    change,
    reconnect(agentId, changes, connection) {
      watch(agentId, connection)
      change(agentId, changes)
    },
    record(apply) {
      attempts.set(apply.agent_id, [...(attempts.get(apply.agent_id) ?? []), apply])
    },
    isPending,
    restate(agentId) {
      const facts = held.get(agentId)
      if (!facts) return
      const { master_id: _holder, ...known } = facts
      patient.delete(agentId)
      watch(agentId)
      urgent.set(agentId, { ...known, ...urgent.get(agentId) })
      start()
    },
    release(agentId) {
      if (isPending(agentId)) released.add(agentId)
      else letGo(agentId)
    },
    async flush(agentId) {
      hurry(agentId)
      while (running && (agentId === undefined || isPending(agentId))) await running
    },
    async [Symbol.asyncDispose]() {
      clearInterval(timer)
      hurry()
      while (running) await running
    },
  }
}

function isTold(before: AgentFacts, after: AgentFacts): boolean {
  const same = (['connected', 'state', 'state_reason', 'drift'] as const).every((column) => before[column] === after[column])
  return !same || !warnsOfSame(before.alerts, after.alerts) || !findsSameDown(before.health, after.health)
}
