import type { WorkspaceCertificate } from '@nxmesh/model/served-certificate'
import { defaultSettings, type Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'

/** Everything a workspace consists of, each list in order of creation. */
export interface WorkspaceState {
  virtual_hosts: VirtualHost[]
  stream_hosts: StreamHost[]
  upstreams: Upstream[]
  certificates: WorkspaceCertificate[]
  settings: Settings
}

/** What a workspace consisted of at a version: of each object the last that history says up to then. */
export async function stateAt(db: Kysely<Database>, workspaceId: string, version: number): Promise<WorkspaceState> {
  const rows = await db
    .selectFrom('history')
    .innerJoin(
      (eb) =>
        eb
          .selectFrom('history')
          .select(({ fn }) => ['kind', 'id', fn.max('version').as('version')])
          .where('workspace_id', '=', workspaceId)
          .where('version', '<=', version)
          .groupBy(['kind', 'id'])
          .as('last'),
      (join) =>
        join.onRef('last.kind', '=', 'history.kind').onRef('last.id', '=', 'history.id').onRef('last.version', '=', 'history.version'),
    )
    .select(['history.kind', 'history.doc'])
    .where('history.workspace_id', '=', workspaceId)
    .where('history.doc', 'is not', null)
    .execute()
  const read = <T>(kind: Database['history']['kind']) => rows.filter((row) => row.kind === kind).map((row) => JSON.parse(row.doc!) as T)
  return {
    virtual_hosts: read<VirtualHost>('virtual_host').sort(byCreation),
    stream_hosts: read<StreamHost>('stream_host').sort(byCreation),
    upstreams: read<Upstream>('upstream').sort(byCreation),
    certificates: read<WorkspaceCertificate>('certificate').sort(byCreation),
    settings: read<Settings>('settings')[0] ?? defaultSettings,
  }
}

/** Puts resources in order of creation. */
export function byCreation(a: { id: string; created_at: string }, b: { id: string; created_at: string }): number {
  if (a.created_at !== b.created_at) return a.created_at < b.created_at ? -1 : 1
  return a.id < b.id ? -1 : 1
}
