import { ApiError } from '@nxmesh/api/errors'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { Actor } from './access.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { type Tx, transaction } from './db/transaction.ts'
import { loadWorkspaceConfig } from './workspace-config.ts'

/** What a change did to one resource: its whole content afterwards, or null where it is gone. */
export interface Change<T> {
  result: T
  kind: Database['history']['kind']
  id: string
  after: object | null
  reason: string
}

/**
 * Changes what the agents of a workspace must serve: `work` reads the config as it is and writes one resource, then the
 * version is raised and history written, all in one transaction. Agents are told by a wake-up after the commit.
 */
export async function changeConfig<T>(
  ctx: Ctx,
  actor: Actor,
  workspaceId: string,
  work: (tx: Tx, config: WorkspaceConfig) => Promise<Change<T>>,
): Promise<T> {
  return transaction(
    ctx.db,
    async (tx) => {
      const config = await loadWorkspaceConfig(tx.db, workspaceId, ctx.workspaceConfigs)
      if (!config) throw new ApiError('NOT_FOUND', 'workspace not found')
      const { result, kind, id, after, reason } = await work(tx, config)
      const version = config.version + 1
      await tx.db.updateTable('workspaces').set({ version }).where('id', '=', workspaceId).execute()
      await tx.db
        .insertInto('history')
        .values({ workspace_id: workspaceId, version, kind, id, doc: after === null ? null : JSON.stringify(after) })
        .execute()
      await tx.db
        .insertInto('revisions')
        .values({ workspace_id: workspaceId, version, author: actor.email, created_at: timestamp(ctx), reason })
        .execute()
      tx.onCommit(() => ctx.wake('rollout'))
      return result
    },
    workspaceId,
  )
}
