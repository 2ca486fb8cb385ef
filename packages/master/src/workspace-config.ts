import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { WorkspaceCertificate } from '@nxmesh/model/served-certificate'
import type { Settings } from '@nxmesh/model/settings'
import type { StreamHost } from '@nxmesh/model/stream-host'
import type { Upstream } from '@nxmesh/model/upstream'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'
import { byCreation } from './workspace-history.ts'

/** What the workspaces of a master hold, remembered by version: a later version costs only what changed since. */
export type WorkspaceConfigs = Map<string, WorkspaceConfig>

/**
 * The resources of a workspace at its present version, or undefined when there is no such workspace. What is read goes into
 * the memory, so a transaction may call this only before it writes.
 */
export async function loadWorkspaceConfig(
  db: Kysely<Database>,
  workspaceId: string,
  memory?: WorkspaceConfigs,
): Promise<WorkspaceConfig | undefined> {
  const workspace = await readWorkspace(db, workspaceId)
  if (!workspace) {
    memory?.delete(workspaceId)
    return undefined
  }
  const known = memory?.get(workspaceId)
  if (known?.version === workspace.version) return known
  const config = known ? await advance(db, workspaceId, known, workspace.version) : await readWhole(db, workspaceId, workspace)
  // A change may have come between the reads, so that what was read is of two versions.
  if (!known && (await readWorkspace(db, workspaceId))?.version !== config.version) return loadWorkspaceConfig(db, workspaceId, memory)
  memory?.set(workspaceId, config)
  return config
}

async function readWorkspace(db: Kysely<Database>, workspaceId: string) {
  return db.selectFrom('workspaces').select(['version', 'settings']).where('id', '=', workspaceId).executeTakeFirst()
}

async function readWhole(
  db: Kysely<Database>,
  workspaceId: string,
  workspace: { version: number; settings: string },
): Promise<WorkspaceConfig> {
  const read = async (table: 'virtual_hosts' | 'stream_hosts' | 'upstreams' | 'certificates') => {
    const rows = await db
      .selectFrom(table)
      .select('doc')
      .where('workspace_id', '=', workspaceId)
      .orderBy('created_at')
      .orderBy('id')
      .execute()
    return rows.map((row) => JSON.parse(row.doc) as unknown)
  }
  return {
    version: workspace.version,
    virtual_hosts: (await read('virtual_hosts')) as VirtualHost[],
    stream_hosts: (await read('stream_hosts')) as StreamHost[],
    upstreams: (await read('upstreams')) as Upstream[],
    certificates: (await read('certificates')) as WorkspaceCertificate[],
    settings: JSON.parse(workspace.settings) as Settings,
  }
}

// The history holds each resource as it was at each version, so what is known is brought forward by the rows above it.
async function advance(db: Kysely<Database>, workspaceId: string, known: WorkspaceConfig, version: number): Promise<WorkspaceConfig> {
  const rows = await db
    .selectFrom('history')
    .select(['kind', 'id', 'doc'])
    .where('workspace_id', '=', workspaceId)
    .where('version', '>', known.version)
    .where('version', '<=', version)
    .orderBy('version')
    .execute()
  const hosts = new Map<string, VirtualHost | null>()
  const streamHosts = new Map<string, StreamHost | null>()
  const upstreams = new Map<string, Upstream | null>()
  const certificates = new Map<string, WorkspaceCertificate | null>()
  let { settings } = known
  for (const { kind, id, doc } of rows) {
    if (kind === 'settings') settings = JSON.parse(doc ?? '{}') as Settings
    else if (kind === 'virtual_host') hosts.set(id, doc === null ? null : (JSON.parse(doc) as VirtualHost))
    else if (kind === 'stream_host') streamHosts.set(id, doc === null ? null : (JSON.parse(doc) as StreamHost))
    else if (kind === 'upstream') upstreams.set(id, doc === null ? null : (JSON.parse(doc) as Upstream))
    else certificates.set(id, doc === null ? null : (JSON.parse(doc) as WorkspaceCertificate))
  }
  return {
    version,
    virtual_hosts: advanced(known.virtual_hosts, hosts),
    stream_hosts: advanced(known.stream_hosts, streamHosts),
    upstreams: advanced(known.upstreams, upstreams),
    certificates: advanced(known.certificates, certificates),
    settings,
  }
}

// Of ten thousand resources a change is of one: the others are neither read nor put in order anew.
function advanced<T extends { id: string; created_at: string }>(known: T[], changes: Map<string, T | null>): T[] {
  if (changes.size === 0) return known
  const left = new Map(changes)
  const kept = known.flatMap((item) => {
    const change = left.get(item.id)
    if (change === undefined) return item
    left.delete(item.id)
    return change ?? []
  })
  const added = [...left.values()].filter((item) => item !== null)
  const last = kept.at(-1)
  const inOrder = [...kept, ...added.sort(byCreation)]
  return added.length === 0 || last === undefined || byCreation(last, added[0]!) < 0 ? inOrder : inOrder.sort(byCreation)
}
