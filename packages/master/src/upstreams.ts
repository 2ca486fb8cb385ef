import { invalid } from '@nxmesh/api/errors'
import type { UpstreamPatch } from '@nxmesh/api/routes/upstreams'
import { isEqual } from '@nxmesh/model/field-changes'
import { type Upstream, type UpstreamInput, upstreamInput } from '@nxmesh/model/upstream'
import { checkUpstream } from '@nxmesh/nginx/check'
import { portProblems } from '@nxmesh/nginx/check-stream'
import type { Actor } from './access.ts'
import { changeConfig, unchanged } from './change.ts'
import { changed, created, deleted } from './config-change.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { getDocument, insertDocument, readDocument, replaceDocument, withContent } from './documents.ts'
import type { Tagged } from './etag.ts'
import { requireUnused } from './in-use.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { uuidv7 } from './uuid.ts'

const taken = 'an upstream with this name exists already in the workspace'

export async function createUpstream(ctx: Ctx, actor: Actor, workspaceId: string, input: UpstreamInput): Promise<Tagged<Upstream>> {
  requireSound(input)
  return refusingDuplicate('name', taken, () =>
    changeConfig(ctx, actor, workspaceId, async ({ db }) => {
      const now = timestamp(ctx)
      const upstream = { id: uuidv7(ctx.now()), workspace_id: workspaceId, ...input, created_at: now, updated_at: now }
      const result = await insertDocument(db, 'upstreams', upstream)
      return { result, ...created('upstream', upstream) }
    }),
  )
}

export async function updateUpstream(
  ctx: Ctx,
  actor: Actor,
  id: string,
  patch: UpstreamPatch,
  ifMatch: string | undefined,
): Promise<Tagged<Upstream>> {
  const { body } = await getDocument<Upstream>(ctx.db, 'upstreams', id)
  return refusingDuplicate('name', taken, () =>
    changeConfig(ctx, actor, body.workspace_id, async ({ db }, config) => {
      const row = await readDocument(db, 'upstreams', id, ifMatch)
      const before = JSON.parse(row.doc) as Upstream
      const { id: _id, workspace_id: _workspace, created_at: _created, updated_at: _updated, ...inputBefore } = before
      const input = patched(upstreamInput, inputBefore, patch)
      if (isEqual(input, inputBefore)) return unchanged({ body: before, revision: row.revision })
      requireSound(input)
      if (config.stream_hosts.some((host) => host.upstream_id === id)) requirePorts(input)
      const after = withContent(ctx, before, input)
      const result = await replaceDocument(db, 'upstreams', after, row)
      return { result, ...changed('upstream', before, after) }
    }),
  )
}

export async function deleteUpstream(ctx: Ctx, actor: Actor, id: string, ifMatch: string | undefined): Promise<void> {
  const { body } = await getDocument<Upstream>(ctx.db, 'upstreams', id)
  await changeConfig(ctx, actor, body.workspace_id, async ({ db }, config) => {
    const row = await readDocument(db, 'upstreams', id, ifMatch)
    requireUnused('upstream', {
      virtual_hosts: config.virtual_hosts.filter((host) => host.locations.some((location) => location.upstream_id === id)),
      stream_hosts: config.stream_hosts.filter((host) => host.upstream_id === id),
    })
    await db.deleteFrom('upstreams').where('id', '=', id).execute()
    return { result: undefined, ...deleted('upstream', JSON.parse(row.doc)) }
  })
}

function requirePorts(input: UpstreamInput): void {
  const problems = portProblems(input)
  if (problems.length > 0) throw invalid(problems)
}

function requireSound(input: UpstreamInput): void {
  const problems = checkUpstream(input)
  if (problems.length > 0) throw invalid(problems)
}
