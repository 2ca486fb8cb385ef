import { setImmediate } from 'node:timers/promises'
import { status } from '@grpc/grpc-js'
import type { Ctx } from './ctx.ts'
import type { Reconciler } from './reconcilers.ts'

const silentIntervals = 3

/** Ends the sessions of agents that have been silent for three heartbeat intervals; their end makes them offline. */
export function livenessReconciler(ctx: Ctx): Reconciler {
  return {
    name: 'liveness',
    every: 1000,
    async run() {
      let silent = 0
      // A master that stood still finds what has come meanwhile only after its timers.
      for (let turn = 0; turn < 3; turn++) await setImmediate()
      for (const session of ctx.sessions.all()) {
        const facts = ctx.agentWrites.facts(session.agentId)
        if (!facts) continue
        const limit = silentIntervals * facts.heartbeat_interval_seconds * 1000
        if (performance.now() - session.heardAt <= limit) continue
        silent++
        ctx.log.warn({ agent_id: session.agentId }, 'agent is silent')
        session.end({ status: status.UNAVAILABLE, code: 'HEARTBEAT_TIMEOUT', message: 'nothing was heard for three heartbeat intervals' })
      }
      return { connected: ctx.sessions.size(), silent }
    },
  }
}
