import type { Kysely } from 'kysely'
import { viewersOf } from '../access.ts'
import type { Database } from '../db/schema.ts'
import type { Told } from './log.ts'

/** Who sees a workspace, by its id. */
export type Viewers = ReadonlyMap<string, ReadonlySet<string>>

/** Who sees the workspaces of some events now. */
export async function viewersOfEach(db: Kysely<Database>, events: readonly Pick<Told, 'workspace_id'>[]): Promise<Viewers> {
  const viewers = new Map<string, Set<string>>()
  for (const { workspace_id } of events) {
    if (!viewers.has(workspace_id)) viewers.set(workspace_id, await viewersOf(db, workspace_id))
  }
  return viewers
}
