import { status } from '@grpc/grpc-js'
import type { Ctx } from '../ctx.ts'
import type { AgentRow } from '../db/schema.ts'
import type { Session } from '../link/sessions.ts'
import type { Reconciler } from '../reconcilers.ts'
import { desiredIn, labelsOf } from './desired.ts'

const columns = [
  ...(['id', 'workspace_id', 'capability', 'token_labels', 'reported_labels', 'central_labels'] as const),
  ...(['connected', 'master_id', 'certificates_valid_from', 'rejected_digest'] as const),
]
type Row = Pick<AgentRow, (typeof columns)[number]>

/** Tells every connected agent's session what the agent must run now; the session offers it when that is due. */
export function rolloutReconciler(ctx: Ctx): Reconciler {
  return {
    name: 'rollout',
    every: 10_000,
    async run() {
      const workspaces = new Set([...ctx.sessions.all()].map((session) => session.workspaceId))
      let behind = 0
      let connected = 0
      for (const workspaceId of workspaces) {
        const before = settledSessions(ctx, workspaceId)
        const rows = await ctx.db.selectFrom('agents').select(columns).where('workspace_id', '=', workspaceId).execute()
        follow(ctx, before, new Map(rows.map((row) => [row.id, row])))
        const find = await desiredIn(ctx, workspaceId)
        if (!find) continue
        for (const row of rows) {
          const session = ctx.sessions.get(row.id)
          const facts = ctx.agentWrites.facts(row.id)
          if (!session || !facts) continue
          const present = { ...row, reported_labels: facts.reported_labels, capability: facts.capability }
          const desired = find(present)
          session.consider(desired, labelsOf(present))
          if (facts.left_out !== desired.leftOut) ctx.agentWrites.change(row.id, { left_out: desired.leftOut })
          connected++
          if (facts.applied_digest !== desired.digest) behind++
        }
      }
      return { connected, behind }
    },
  }
}

// Only sessions of which all is written: then what a row says otherwise is somebody else's word, and newer.
function settledSessions(ctx: Ctx, workspaceId: string): Session[] {
  return [...ctx.sessions.all()].filter((session) => session.workspaceId === workspaceId && !ctx.agentWrites.isPending(session.agentId))
}

/** Follows what another master has done to agents that are connected here. */
function follow(ctx: Ctx, sessions: Session[], rows: Map<string, Row>): void {
  for (const session of sessions) {
    const { agentId } = session
    const row = rows.get(agentId)
    if (!row) ctx.sessions.cut(agentId, 'the agent was deleted')
    else if (row.certificates_valid_from !== session.certificatesValidFrom) ctx.sessions.cut(agentId, 'the agent was revoked')
    else if (row.master_id !== ctx.masterId) {
      session.end({ status: status.ABORTED, code: 'SESSION_REPLACED', message: 'the agent is connected to another master now' })
    } else if (row.connected === 0) ctx.agentWrites.restate(agentId)
    else if (row.rejected_digest === null && ctx.agentWrites.facts(agentId)?.rejected_digest) session.forgetRejection()
  }
}
