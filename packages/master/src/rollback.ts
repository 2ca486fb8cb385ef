import { ApiError, invalid } from '@nxmesh/api/errors'
import { check } from '@nxmesh/api/problems'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Problem } from '@nxmesh/model/problem'
import type { ConfigKind, RollbackResult } from '@nxmesh/model/revision'
import { settings as settingsSchema } from '@nxmesh/model/settings'
import { type StreamHost, streamHostInput } from '@nxmesh/model/stream-host'
import { type Upstream, upstreamInput } from '@nxmesh/model/upstream'
import { type VirtualHost, virtualHostInput } from '@nxmesh/model/virtual-host'
import { checkSettings, checkUpstream } from '@nxmesh/nginx/check'
import type { Kysely } from 'kysely'
import type { z } from 'zod'
import type { Actor } from './access.ts'
import { labelsOfAgents } from './agents.ts'
import { type ConfigChange, changeConfig } from './change.ts'
import { changed, created, deleted } from './config-change.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { type DocumentTable, insertDocument, readDocument, replaceDocument } from './documents.ts'
import { conflictsAmong } from './host-conflicts.ts'
import { requireNamesKept } from './in-use.ts'
import { allowedIn } from './lua-allowed.ts'
import { settingsPortConflicts } from './mail-conflicts.ts'
import { hostPortConflicts, streamPortConflicts } from './port-conflicts.ts'
import { readRevision } from './revisions.ts'
import { getSettings, writeSettings } from './settings.ts'
import { streamProblems } from './stream-hosts.ts'
import { problemsOf } from './virtual-hosts.ts'
import { stateAt, type WorkspaceState } from './workspace-history.ts'

type Db = Kysely<Database>

/**
 * Makes a new version with the content of an earlier one, if that is sound by the rules and beside the agents of today; what
 * became of the version since stays in history. Certificates stay as they are now: those of then may be over. Nothing is written
 * where the workspace is as it was then.
 */
export async function rollbackWorkspace(
  ctx: Ctx,
  actor: Actor,
  workspaceId: string,
  body: { version: number; reason?: string | undefined },
): Promise<RollbackResult> {
  const asked = ctx.origin && body.reason !== undefined ? { ...ctx, origin: { ...ctx.origin, reason: body.reason } } : ctx
  return changeConfig(asked, actor, workspaceId, async ({ db }, config) => {
    await readRevision(db, workspaceId, body.version)
    const workspace = await db.selectFrom('workspaces').select('name').where('id', '=', workspaceId).executeTakeFirstOrThrow()
    const now = timestamp(ctx)
    const then = await stateAt(db, workspaceId, body.version)
    const target = soundState({ ...then, certificates: config.certificates })
    const steps = stepsTo(config, target)
    await requireSoundTogether(db, workspaceId, config, target, steps)
    const changes = [
      ...(await moveDocuments(db, 'upstreams', 'upstream', steps.upstreams, now)),
      ...(await moveDocuments(db, 'virtual_hosts', 'virtual_host', steps.hosts, now)),
      ...(await moveDocuments(db, 'stream_hosts', 'stream_host', steps.streams, now)),
      ...(await moveSettings(db, workspaceId, target)),
    ]
    return {
      result: resultOf(config.version, body.version, changes),
      changes,
      summary: `rolled back to version ${body.version}`,
      deed: {
        object: { kind: 'workspace', id: workspaceId, name: workspace.name },
        before: { version: config.version },
        after: { version: config.version + 1, as_of_version: body.version, objects: changes.length },
      },
    }
  })
}

interface Steps<T> {
  gone: T[]
  /** Each with what it is to become. */
  changed: { before: T; after: T }[]
  back: T[]
}

/** What an earlier release wrote is read by the schemas of this one, which may have more fields and stricter rules. */
function soundState(state: WorkspaceState): WorkspaceState {
  const problems: Problem[] = []
  const read = <T extends { id: string }>(kind: string, item: T, schema: z.ZodType): T => {
    const { id, workspace_id, created_at, updated_at, ...input } = item as T & Record<string, unknown>
    const result = check(schema, input)
    if (result.ok) return { id, workspace_id, ...(result.value as object), created_at, updated_at } as unknown as T
    problems.push(...under(`${kind}.${id}`, result.problems))
    return item
  }
  const virtual_hosts = state.virtual_hosts.map((host) => read('virtual_hosts', host, virtualHostInput))
  const upstreams = state.upstreams.map((upstream) => read('upstreams', upstream, upstreamInput))
  const stream_hosts = state.stream_hosts.map((host) => read('stream_hosts', host, streamHostInput))
  const settings = check(settingsSchema, state.settings)
  if (!settings.ok) problems.push(...under('settings', settings.problems))
  if (problems.length > 0 || !settings.ok) throw invalid(problems)
  return { virtual_hosts, stream_hosts, upstreams, certificates: state.certificates, settings: settings.value }
}

function stepsTo(config: WorkspaceConfig, target: WorkspaceState) {
  return {
    upstreams: steps(config.upstreams, target.upstreams),
    hosts: steps(config.virtual_hosts, target.virtual_hosts),
    streams: steps(config.stream_hosts, target.stream_hosts),
  }
}

function steps<T extends { id: string; updated_at: string }>(now: T[], then: T[]): Steps<T> {
  const [present, past] = [new Map(now.map((item) => [item.id, item])), new Map(then.map((item) => [item.id, item]))]
  const content = ({ updated_at: _updated, ...rest }: T) => rest
  return {
    gone: now.filter((item) => !past.has(item.id)),
    changed: then.flatMap((after) => {
      const before = present.get(after.id)
      return before && !isEqual(content(before), content(after)) ? [{ before, after }] : []
    }),
    back: then.filter((item) => !present.has(item.id)),
  }
}

async function requireSoundTogether(
  db: Db,
  workspaceId: string,
  config: WorkspaceConfig,
  target: WorkspaceState,
  { upstreams, hosts, streams }: ReturnType<typeof stepsTo>,
): Promise<void> {
  const agents = await labelsOfAgents(db, workspaceId)
  const allowed = await allowedIn(db, workspaceId)
  const agentIds = new Set(agents.map((agent) => agent.id))
  const touched = <T>({ changed: some, back }: Steps<T>) => [...some.map(({ after }) => after), ...back]
  const then = { ...target, version: config.version }
  const problems = [
    ...touched(upstreams).flatMap((upstream) => under(`upstreams.${upstream.id}`, checkUpstream(upstream))),
    ...touched(hosts).flatMap((host) => under(`virtual_hosts.${host.id}`, problemsOf(then, host, agentIds, allowed))),
    ...then.stream_hosts.flatMap((host) => under(`stream_hosts.${host.id}`, streamProblems(then, host, agentIds))),
    ...(isEqual(config.settings, target.settings) ? [] : under('settings', checkSettings(target.settings, allowed))),
  ]
  if (problems.length > 0) throw invalid(problems)
  const conflicts = conflictsAmong(then, touched(hosts), agents)
  if (conflicts.length > 0) throw new ApiError('CONFLICT', 'virtual hosts would claim the same name and port', conflicts)
  const ports = [
    ...touched(hosts).flatMap((host) => under(`virtual_hosts.${host.id}`, hostPortConflicts(then, host, agents))),
    ...touched(streams).flatMap((host) => under(`stream_hosts.${host.id}`, streamPortConflicts(then, host, agents))),
    ...under('settings', settingsPortConflicts(then)),
  ]
  if (ports.length > 0) throw new ApiError('CONFLICT', 'hosts would have the same port', ports)
  requireNamesKept(config, then, 'version')
}

async function moveDocuments<T extends Upstream | VirtualHost | StreamHost>(
  db: Db,
  table: DocumentTable,
  kind: Exclude<ConfigKind, 'certificate' | 'settings'>,
  { gone, changed: some, back }: Steps<T>,
  now: string,
): Promise<ConfigChange[]> {
  for (const { id } of gone) await db.deleteFrom(table).where('id', '=', id).execute()
  // Names may go round in a ring, and at no moment may two have the same.
  for (const { before, after } of some) {
    if (before.name !== after.name) await db.updateTable(table).set({ name: after.id }).where('id', '=', after.id).execute()
  }
  const changes: ConfigChange[] = gone.flatMap((item) => deleted(kind, item).changes)
  for (const { before, after } of some) {
    const moved = { ...after, updated_at: now }
    await replaceDocument(db, table, moved, await readDocument(db, table, after.id))
    changes.push(...changed(kind, before, moved).changes)
  }
  for (const item of back) {
    const moved = { ...item, updated_at: now }
    await insertDocument(db, table, moved, await nextRevision(db, item.workspace_id, kind, item.id))
    changes.push(...created(kind, moved).changes)
  }
  return changes
}

// Each change of an object left a row, so the number of rows is the last revision that the object had.
async function nextRevision(db: Db, workspaceId: string, kind: ConfigKind, id: string): Promise<number> {
  const { count } = await db
    .selectFrom('history')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('workspace_id', '=', workspaceId)
    .where('kind', '=', kind)
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return count + 1
}

async function moveSettings(db: Db, workspaceId: string, target: WorkspaceState): Promise<ConfigChange[]> {
  const { body: before, revision } = await getSettings({ db }, workspaceId)
  if (isEqual(before, target.settings)) return []
  await writeSettings(db, workspaceId, target.settings, revision)
  return [{ kind: 'settings', id: workspaceId, name: 'settings', action: 'changed', before, after: target.settings }]
}

function resultOf(present: number, asked: number, changes: ConfigChange[]): RollbackResult {
  if (changes.length === 0) {
    return { changed: false, version: present, message: `the workspace is as it was at version ${asked} already`, changes: [] }
  }
  return {
    changed: true,
    version: present + 1,
    message: `version ${present + 1} has the content of version ${asked}`,
    changes: changes.map(({ kind, id, name, action }) => ({ kind, id, name, action })),
  }
}

function under(prefix: string, problems: Problem[]): Problem[] {
  return problems.map((problem) => ({ ...problem, field: problem.field === '' ? prefix : `${prefix}.${problem.field}` }))
}
