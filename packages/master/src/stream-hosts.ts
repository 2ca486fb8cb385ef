import { ApiError, invalid } from '@nxmesh/api/errors'
import type { StreamHostPatch } from '@nxmesh/api/routes/stream-hosts'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Problem } from '@nxmesh/model/problem'
import { type StreamHost, type StreamHostInput, streamHostInput } from '@nxmesh/model/stream-host'
import { checkStreamHost } from '@nxmesh/nginx/check-stream'
import type { Kysely } from 'kysely'
import type { Actor } from './access.ts'
import { labelsOfAgents } from './agents.ts'
import { changeConfig, unchanged } from './change.ts'
import { changed, created, deleted } from './config-change.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { getDocument, insertDocument, readDocument, replaceDocument, withContent } from './documents.ts'
import type { Tagged } from './etag.ts'
import { mailPortConflicts } from './mail-conflicts.ts'
import { patched } from './patched.ts'
import { streamPortConflicts } from './port-conflicts.ts'
import { targetProblems } from './target-problems.ts'
import { uuidv7 } from './uuid.ts'

export async function createStreamHost(ctx: Ctx, actor: Actor, workspaceId: string, input: StreamHostInput): Promise<Tagged<StreamHost>> {
  return changeConfig(ctx, actor, workspaceId, async ({ db }, config) => {
    const now = timestamp(ctx)
    const host = { id: uuidv7(ctx.now()), workspace_id: workspaceId, ...input, created_at: now, updated_at: now }
    await requireSound(db, config, host)
    const result = await insertDocument(db, 'stream_hosts', host)
    return { result, ...created('stream_host', host) }
  })
}

export async function updateStreamHost(
  ctx: Ctx,
  actor: Actor,
  id: string,
  patch: StreamHostPatch,
  ifMatch: string | undefined,
): Promise<Tagged<StreamHost>> {
  const { body } = await getDocument<StreamHost>(ctx.db, 'stream_hosts', id)
  return changeConfig(ctx, actor, body.workspace_id, async ({ db }, config) => {
    const row = await readDocument(db, 'stream_hosts', id, ifMatch)
    const before = JSON.parse(row.doc) as StreamHost
    const input = patched(streamHostInput, inputOf(before, patch), patch)
    if (isEqual(input, inputOf(before, {}))) return unchanged({ body: before, revision: row.revision })
    const after = withContent(ctx, before, input)
    await requireSound(db, config, after)
    const result = await replaceDocument(db, 'stream_hosts', after, row)
    return { result, ...changed('stream_host', before, after) }
  })
}

export async function deleteStreamHost(ctx: Ctx, actor: Actor, id: string, ifMatch: string | undefined): Promise<void> {
  const { body } = await getDocument<StreamHost>(ctx.db, 'stream_hosts', id)
  await changeConfig(ctx, actor, body.workspace_id, async ({ db }) => {
    const row = await readDocument(db, 'stream_hosts', id, ifMatch)
    await db.deleteFrom('stream_hosts').where('id', '=', id).execute()
    return { result: undefined, ...deleted('stream_host', JSON.parse(row.doc)) }
  })
}

// A new kind of target does not inherit the members of the old kind.
function inputOf(host: StreamHost, patch: StreamHostPatch): Partial<StreamHostInput> {
  const { id: _id, workspace_id: _workspace, created_at: _created, updated_at: _updated, target_agents, ...input } = host
  return patch.target_agents?.type === undefined ? { ...input, target_agents } : input
}

async function requireSound(db: Kysely<Database>, config: WorkspaceConfig, host: StreamHost): Promise<void> {
  const agents = await labelsOfAgents(db, host.workspace_id)
  const problems = streamProblems(config, host, new Set(agents.map((agent) => agent.id)))
  if (problems.length > 0) throw invalid(problems)
  const conflicts = [...streamPortConflicts(config, host, agents), ...mailPortConflicts(config, host)]
  if (conflicts.length > 0) throw new ApiError('CONFLICT', 'another host has the port', conflicts)
}

/** What is wrong with a stream host by itself and in what it refers to. */
export function streamProblems(config: WorkspaceConfig, host: StreamHost, agentIds: Set<string>): Problem[] {
  const upstream = config.upstreams.find(({ id }) => id === host.upstream_id)
  const problems = checkStreamHost(host, upstream)
  const unknown = (field: string, what: string) =>
    problems.push({ field, message: `no such ${what} in this workspace`, code: 'UNKNOWN_REFERENCE' })
  if (host.upstream_id !== undefined && !upstream) unknown('upstream_id', 'upstream')
  if (host.ssl_certificate_id === null) {
    if (host.ssl_enabled) problems.push({ field: 'ssl_certificate_id', message: 'is required where ssl_enabled is true', code: 'REQUIRED' })
  } else if (!config.certificates.some(({ id }) => id === host.ssl_certificate_id)) unknown('ssl_certificate_id', 'certificate')
  return [...problems, ...targetProblems(host.target_agents, agentIds)]
}
