import { ApiError } from '@nxmesh/api/errors'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { RevisionChange } from '@nxmesh/model/revision'
import type { Actor } from './access.ts'
import { audit, type Deed } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { type Tx, transaction } from './db/transaction.ts'
import { tell } from './events/outbox.ts'
import { loadWorkspaceConfig } from './workspace-config.ts'

/** What a change did to one object: its whole content before and afterwards, null where it is not there. */
export interface ConfigChange extends RevisionChange {
  before: object | null
  after: object | null
}

/** What a change did. One that changed nothing makes no version. */
export interface Change<T> {
  result: T
  changes: ConfigChange[]
  /** What the revision says where nobody gave a reason. */
  summary: string
  /** What the audit log keeps; of a single change, that change. */
  deed?: Pick<Deed, 'object' | 'before' | 'after'>
}

/** A change that leaves everything as it is. */
export function unchanged<T>(result: T): Change<T> {
  return { result, changes: [], summary: '' }
}

/**
 * Changes what the agents of a workspace must serve: `work` reads the config as it is and writes resources, then the version
 * is raised and history written, all in one transaction. Agents are told by a wake-up after the commit.
 */
export async function changeConfig<T>(
  ctx: Ctx,
  actor: Pick<Actor, 'email'>,
  workspaceId: string,
  work: (tx: Tx, config: WorkspaceConfig) => Promise<Change<T>>,
): Promise<T> {
  return transaction(
    ctx,
    async (tx) => {
      const config = await loadWorkspaceConfig(tx.db, workspaceId, ctx.workspaceConfigs)
      if (!config) throw new ApiError('NOT_FOUND', 'workspace not found')
      const { result, changes, summary, deed } = await work(tx, config)
      const [first] = changes
      if (!first) return result
      const version = config.version + 1
      await tx.db.updateTable('workspaces').set({ version }).where('id', '=', workspaceId).execute()
      await appendHistory(tx, workspaceId, version, changes)
      const reason = ctx.origin?.reason ?? summary
      await tx.db
        .insertInto('revisions')
        .values({ workspace_id: workspaceId, version, author: actor.email, created_at: timestamp(ctx), reason })
        .execute()
      await audit(ctx, tx.db, { workspaceId, ...(deed ?? deedOf(first)) })
      tellChanges(ctx, tx, workspaceId, changes, version)
      tell(ctx, tx, workspaceId, 'revision.created', { version, author: actor.email, reason, changes: changes.length })
      tx.onCommit(() => ctx.wake('rollout'))
      return result
    },
    workspaceId,
  )
}

const happened = { created: 'created', changed: 'updated', deleted: 'deleted' } as const

function tellChanges(ctx: Ctx, tx: Tx, workspaceId: string, changes: ConfigChange[], version: number): void {
  for (const { kind, id, name, action } of changes) {
    const what = happened[action]
    if (kind === 'virtual_host') tell(ctx, tx, workspaceId, `virtual_host.${what}`, { virtual_host_id: id, name, version })
    else if (kind === 'stream_host') tell(ctx, tx, workspaceId, `stream_host.${what}`, { stream_host_id: id, name, version })
    else if (kind === 'upstream') tell(ctx, tx, workspaceId, `upstream.${what}`, { upstream_id: id, name, version })
    else if (kind === 'certificate') tell(ctx, tx, workspaceId, `certificate.${what}`, { certificate_id: id, name, version })
    else tell(ctx, tx, workspaceId, 'settings.updated', { version })
  }
}

// Well below the number of parameters that a statement of either engine may have.
const perStatement = 500

async function appendHistory({ db }: Tx, workspace_id: string, version: number, changes: ConfigChange[]): Promise<void> {
  const rows = changes.map(({ kind, id, name, action, after }) => {
    const doc = after === null ? null : JSON.stringify(after)
    return { workspace_id, version, kind, id, name, action, doc }
  })
  for (let from = 0; from < rows.length; from += perStatement) {
    await db
      .insertInto('history')
      .values(rows.slice(from, from + perStatement))
      .execute()
  }
}

function deedOf({ kind, id, name, before, after }: ConfigChange): Pick<Deed, 'object' | 'before' | 'after'> {
  return { object: { kind, id, name }, before, after }
}
