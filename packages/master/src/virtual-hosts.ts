import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { VirtualHostPatch } from '@nxmesh/api/routes/virtual-hosts'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import { isEqual } from '@nxmesh/model/field-changes'
import { withoutHashes } from '@nxmesh/model/options/auth-basic'
import type { Problem } from '@nxmesh/model/problem'
import { type VirtualHost, type VirtualHostInput, virtualHostInput } from '@nxmesh/model/virtual-host'
import { checkVirtualHost } from '@nxmesh/nginx/check'
import type { Allowed } from '@nxmesh/nginx/directive-rules'
import { foreignNames } from '@nxmesh/nginx/shared-names'
import type { Kysely } from 'kysely'
import type { Actor } from './access.ts'
import { labelsOfAgents } from './agents.ts'
import { withHashedPasswords, withKnownPasswords } from './basic-passwords.ts'
import { coverageProblems } from './certificates/coverage.ts'
import { changeConfig, unchanged } from './change.ts'
import { changed, created, deleted } from './config-change.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { getDocument, insertDocument, listDocuments, readDocument, replaceDocument, withContent } from './documents.ts'
import type { Tagged } from './etag.ts'
import { hostConflicts } from './host-conflicts.ts'
import { requireNamesKept } from './in-use.ts'
import { allowedIn } from './lua-allowed.ts'
import { mailPortConflicts } from './mail-conflicts.ts'
import { patched } from './patched.ts'
import { hostPortConflicts } from './port-conflicts.ts'
import { targetProblems } from './target-problems.ts'
import { uuidv7 } from './uuid.ts'

/** The virtual hosts of a workspace, in order of creation. */
export async function listVirtualHosts(ctx: Ctx, workspaceId: string, paging: Paging) {
  const { data, meta } = await listDocuments<VirtualHost>(ctx, 'virtual_hosts', workspaceId, paging)
  return { data: data.map((host) => withoutHashes(host)), meta }
}

/** One virtual host; throws NOT_FOUND. */
export async function getVirtualHost(ctx: Pick<Ctx, 'db'>, id: string): Promise<Tagged<VirtualHost>> {
  return shown(await getDocument<VirtualHost>(ctx.db, 'virtual_hosts', id))
}

export async function createVirtualHost(
  ctx: Ctx,
  actor: Actor,
  workspaceId: string,
  input: VirtualHostInput,
): Promise<Tagged<VirtualHost>> {
  const content = await withHashedPasswords(input)
  return changeConfig(ctx, actor, workspaceId, async ({ db }, config) => {
    const now = timestamp(ctx)
    const host = { id: uuidv7(ctx.now()), workspace_id: workspaceId, ...content, created_at: now, updated_at: now }
    await requireSound(db, config, host)
    const result = shown(await insertDocument(db, 'virtual_hosts', host))
    return { result, ...created('virtual_host', host) }
  })
}

export async function updateVirtualHost(
  ctx: Ctx,
  actor: Actor,
  id: string,
  change: VirtualHostPatch,
  ifMatch: string | undefined,
): Promise<Tagged<VirtualHost>> {
  const { body } = await getDocument<VirtualHost>(ctx.db, 'virtual_hosts', id)
  const patch = await withHashedPasswords(change)
  return changeConfig(ctx, actor, body.workspace_id, async ({ db }, config) => {
    const row = await readDocument(db, 'virtual_hosts', id, ifMatch)
    const before = JSON.parse(row.doc) as VirtualHost
    const input = withKnownPasswords(patched(virtualHostInput, inputOf(before, patch), patch), before)
    if (isEqual(input, inputOf(before, {}))) return unchanged(shown({ body: before, revision: row.revision }))
    const after = withContent(ctx, before, input)
    await requireSound(db, config, after)
    requireNamesKept(config, { ...config, virtual_hosts: config.virtual_hosts.map((host) => (host.id === id ? after : host)) }, 'id')
    const result = shown(await replaceDocument(db, 'virtual_hosts', after, row))
    return { result, ...changed('virtual_host', before, after) }
  })
}

export async function deleteVirtualHost(ctx: Ctx, actor: Actor, id: string, ifMatch: string | undefined): Promise<void> {
  const { body } = await getDocument<VirtualHost>(ctx.db, 'virtual_hosts', id)
  await changeConfig(ctx, actor, body.workspace_id, async ({ db }, config) => {
    const row = await readDocument(db, 'virtual_hosts', id, ifMatch)
    requireNamesKept(config, { ...config, virtual_hosts: config.virtual_hosts.filter((host) => host.id !== id) }, 'id')
    await db.deleteFrom('virtual_hosts').where('id', '=', id).execute()
    return { result: undefined, ...deleted('virtual_host', JSON.parse(row.doc)) }
  })
}

// Hashes of passwords stay here: whoever may look could try words on them.
function shown({ body, revision }: Tagged<VirtualHost>): Tagged<VirtualHost> {
  return { body: withoutHashes(body), revision }
}

// A new kind of target does not inherit the members of the old kind.
function inputOf(host: VirtualHost, patch: VirtualHostPatch): Partial<VirtualHostInput> {
  const { id: _id, workspace_id: _workspace, created_at: _created, updated_at: _updated, target_agents, ...input } = host
  return patch.target_agents?.type === undefined ? { ...input, target_agents } : input
}

async function requireSound(db: Kysely<Database>, config: WorkspaceConfig, host: VirtualHost): Promise<void> {
  const agents = await labelsOfAgents(db, host.workspace_id)
  const problems = problemsOf(config, host, new Set(agents.map((agent) => agent.id)), await allowedIn(db, host.workspace_id))
  if (problems.length > 0) throw invalid(problems)
  const conflicts = hostConflicts(config, host.id, host, agents)
  if (conflicts.length > 0) throw new ApiError('CONFLICT', 'another virtual host claims the same name and port', conflicts)
  const taken = [...hostPortConflicts(config, host, agents), ...mailPortConflicts(config, host)]
  if (taken.length > 0) throw new ApiError('CONFLICT', 'the port is taken', taken)
}

/** What is wrong with a virtual host by itself and in what it refers to. */
export function problemsOf(config: WorkspaceConfig, host: VirtualHost, agentIds: Set<string>, allowed: Allowed): Problem[] {
  return [
    ...checkVirtualHost(host, allowed),
    ...unknownReferences(config, host, agentIds),
    ...foreignNames(host, config.virtual_hosts, config.settings),
  ]
}

function unknownReferences(config: WorkspaceConfig, host: VirtualHost, agentIds: Set<string>): Problem[] {
  const upstreams = new Set(config.upstreams.map((upstream) => upstream.id))
  const problems: Problem[] = []
  const unknown = (field: string, what: string) =>
    problems.push({ field, message: `no such ${what} in this workspace`, code: 'UNKNOWN_REFERENCE' })
  host.locations.forEach((location, index) => {
    if (location.upstream_id !== undefined && !upstreams.has(location.upstream_id)) unknown(`locations.${index}.upstream_id`, 'upstream')
  })
  if (host.ssl_certificate_id === null) {
    if (host.ssl_enabled) problems.push({ field: 'ssl_certificate_id', message: 'is required where ssl_enabled is true', code: 'REQUIRED' })
  } else {
    const certificate = config.certificates.find(({ id }) => id === host.ssl_certificate_id)
    if (!certificate) unknown('ssl_certificate_id', 'certificate')
    else problems.push(...coverageProblems(certificate, host))
  }
  return [...problems, ...targetProblems(host.target_agents, agentIds)]
}
