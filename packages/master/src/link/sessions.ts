import { status } from '@grpc/grpc-js'
import type { AgentCommand } from './frames.ts'
import { type Gate, openGate } from './gate.ts'
import type { Refusal } from './refusal.ts'
import type { CommandOutcome, Peer, Session } from './session.ts'

export type { AgentCommand } from './frames.ts'
export type { CommandOutcome, Session } from './session.ts'

/** The agents that are connected now, and what their streams have brought. */
export interface Sessions {
  get(agentId: string): Session | undefined
  all(): Iterable<Session>
  size(): number
  /** Ends the session of an agent at once; one that is just registering is refused. */
  cut(agentId: string, reason: string): void
  /** Sends a command and waits for its result. */
  command(agentId: string, command: AgentCommand, timeoutMs: number): Promise<CommandOutcome>
  /** Rows of telemetry stored and events heard since the start, and batches that were refused. */
  received: { metrics: number; log_entries: number; events: number; refused: number }
  /** Through which configs go out. */
  gate: Gate
  /** Says that an agent is about to be admitted, so that a `cut` in between is not lost. */
  arrive(agentId: string): Arrival
  /** Puts a session in the place of an older one of the same agent, which ends. */
  admit(session: Session): void
  /** Takes a session out once its stream has ended; false when a newer one has its place already. */
  leave(session: Session): boolean
  /** Why a newcomer cannot be the agent whose session is open: it is another machine under one identity. */
  refuseClone(peer: Peer, recordedMachineId: string): Refusal | undefined
}

export interface Arrival extends Disposable {
  /** The reason of the cut that came in between. */
  cut: string | undefined
}

const mostRetired = 10_000
const bytesUnderWay = 33_554_432
const gatePatience = 2000

export function openSessions(): Sessions {
  const sessions = new Map<string, Session>()
  const arrivals = new Set<Arrival & { agentId: string }>()
  // Boots that another boot of the same machine id has followed. A machine never returns to a boot that is over.
  const retired = new Set<string>()

  function retire(session: Session) {
    if (session.bootId === '') return
    retired.add(bootKey(session))
    if (retired.size > mostRetired) retired.delete(retired.values().next().value!)
  }

  return {
    received: { metrics: 0, log_entries: 0, events: 0, refused: 0 },
    gate: openGate(bytesUnderWay, gatePatience),
    get: (agentId) => sessions.get(agentId),
    all: () => sessions.values(),
    size: () => sessions.size,
    cut(agentId, reason) {
      for (const arrival of arrivals) if (arrival.agentId === agentId) arrival.cut = reason
      sessions.get(agentId)?.end({ status: status.UNAUTHENTICATED, code: 'SESSION_REVOKED', message: reason })
    },
    async command(agentId, command, timeoutMs) {
      const session = sessions.get(agentId)
      return session ? session.command(command, timeoutMs) : { kind: 'offline' }
    },
    arrive(agentId) {
      const arrival = {
        agentId,
        cut: undefined,
        [Symbol.dispose]() {
          arrivals.delete(arrival)
        },
      }
      arrivals.add(arrival)
      return arrival
    },
    admit(session) {
      const former = sessions.get(session.agentId)
      sessions.set(session.agentId, session)
      if (!former) return
      if (former.machineId !== session.machineId || former.bootId !== session.bootId) retire(former)
      former.end({ status: status.ABORTED, code: 'SESSION_REPLACED', message: 'a newer session of this agent took its place' })
    },
    leave(session) {
      if (sessions.get(session.agentId) !== session) return false
      sessions.delete(session.agentId)
      return true
    },
    refuseClone(peer, recordedMachineId) {
      if (peer.machineId === '') return undefined
      if (recordedMachineId !== '' && recordedMachineId !== peer.machineId) {
        return clone('this identity belongs to another machine; every agent needs a token of its own')
      }
      const open = sessions.get(peer.agentId)
      if (open && open.bootId !== peer.bootId && retired.has(bootKey(peer))) {
        return clone('two machines take turns under this identity; every agent needs a token of its own')
      }
      return undefined
    },
  }
}

function bootKey({ agentId, machineId, bootId }: Peer): string {
  return `${agentId} ${machineId} ${bootId}`
}

function clone(message: string): Refusal {
  return { status: status.ALREADY_EXISTS, code: 'AGENT_CLONED', message }
}
