import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import { type ConfigObject, diffObjects } from '@nxmesh/model/object-diff'
import { withoutHashes } from '@nxmesh/model/options/auth-basic'
import type { ConfigKind, Revision, RevisionChange, RevisionDetail, RevisionDiff } from '@nxmesh/model/revision'
import { shownServed } from '@nxmesh/model/served-certificate'
import type { Kysely, Selectable } from 'kysely'
import type { Ctx } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { rangeOf } from './page.ts'
import { stateAt, type WorkspaceState } from './workspace-history.ts'

type Db = Kysely<Database>

/** The versions of a workspace, newest first. */
export async function listRevisions(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db.selectFrom('revisions').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('version', 'desc').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: await withChanges(ctx.db, workspaceId, rows), meta: { ...paging, total } }
}

/** A version with all that the workspace consisted of then; throws NOT_FOUND. */
export async function getRevision(ctx: Ctx, workspaceId: string, version: number): Promise<RevisionDetail> {
  const row = await readRevision(ctx.db, workspaceId, version)
  const [revision] = await withChanges(ctx.db, workspaceId, [row])
  const { certificates, ...state } = await stateAt(ctx.db, workspaceId, version)
  const virtual_hosts = state.virtual_hosts.map((host) => withoutHashes(host))
  return { ...revision!, state: { ...state, virtual_hosts, certificates: certificates.map(shownServed) } }
}

/** What leads to a version from the one before, or from `against`; version 0 is the empty workspace. */
export async function diffRevision(ctx: Ctx, workspaceId: string, version: number, against = version - 1): Promise<RevisionDiff> {
  await readRevision(ctx.db, workspaceId, version)
  if (against !== 0 && !(await findRevision(ctx.db, workspaceId, against))) {
    throw invalid([{ field: 'against', message: 'is not a version of this workspace', code: 'UNKNOWN_REFERENCE' }])
  }
  const [before, after] = [await stateAt(ctx.db, workspaceId, against), await stateAt(ctx.db, workspaceId, version)]
  return { from: against, to: version, ...diffObjects(objectsOf(workspaceId, before), objectsOf(workspaceId, after)) }
}

export async function readRevision(db: Db, workspaceId: string, version: number) {
  const row = await findRevision(db, workspaceId, version)
  if (!row) throw new ApiError('NOT_FOUND', 'the workspace has no such version')
  return row
}

function findRevision(db: Db, workspaceId: string, version: number) {
  return db.selectFrom('revisions').selectAll().where('workspace_id', '=', workspaceId).where('version', '=', version).executeTakeFirst()
}

async function withChanges(db: Db, workspaceId: string, rows: Selectable<Database['revisions']>[]): Promise<Revision[]> {
  const versions = rows.map((row) => row.version)
  if (versions.length === 0) return []
  const changes = await db
    .selectFrom('history')
    .select(['version', 'kind', 'id', 'name', 'action'])
    .where('workspace_id', '=', workspaceId)
    .where('version', 'in', versions)
    .orderBy('version')
    .orderBy('kind')
    .orderBy('id')
    .execute()
  const byVersion = Map.groupBy(changes, (change) => change.version)
  return rows.map(({ version, author, created_at, reason }) => ({
    version,
    author,
    created_at,
    reason,
    changes: (byVersion.get(version) ?? []).map(({ version: _version, ...change }): RevisionChange => change),
  }))
}

function objectsOf(workspaceId: string, state: WorkspaceState): ConfigObject[] {
  return [
    ...state.virtual_hosts.map((host) => found('virtual_host', withoutHashes(host, true))),
    ...state.stream_hosts.map((host) => found('stream_host', host)),
    ...state.upstreams.map((upstream) => found('upstream', upstream)),
    ...state.certificates.map((certificate) => found('certificate', shownServed(certificate))),
    { kind: 'settings', id: workspaceId, name: 'settings', content: { ...state.settings } },
  ]
}

// When it was changed is no change.
function found(kind: ConfigKind, object: { id: string; name: string; updated_at: string }): ConfigObject {
  const { updated_at: _updated, ...content } = object
  return { kind, id: object.id, name: object.name, content }
}
