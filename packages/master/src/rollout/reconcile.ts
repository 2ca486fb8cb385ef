import type { Ctx } from '../ctx.ts'
import type { Reconciler } from '../reconcilers.ts'
import { desiredIn } from './desired.ts'

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
        const rows = await ctx.db
          .selectFrom('agents')
          .select(['id', 'workspace_id', 'token_labels', 'reported_labels', 'central_labels'])
          .where('workspace_id', '=', workspaceId)
          .execute()
        const find = await desiredIn(ctx, workspaceId)
        if (!find) continue
        for (const row of rows) {
          const session = ctx.sessions.get(row.id)
          const facts = ctx.agentWrites.facts(row.id)
          if (!session || !facts) continue
          const desired = find({ ...row, reported_labels: facts.reported_labels })
          session.consider(desired)
          connected++
          if (facts.applied_digest !== desired.digest) behind++
        }
      }
      return { connected, behind }
    },
  }
}
