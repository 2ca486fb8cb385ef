import { ApiError, invalid } from '@nxmesh/api/errors'
import type { ExplainInput, Explanation } from '@nxmesh/model/explanation'
import { explain } from '@nxmesh/nginx/explain/explain'
import { incomingOf } from '@nxmesh/nginx/explain/incoming'
import { placesIn } from '@nxmesh/nginx/explain/places'
import { readConfig } from '@nxmesh/nginx/explain/read-config'
import { compileConfig } from '@nxmesh/nginx/explain/servers'
import { generationName, type Rendered } from '@nxmesh/nginx/render/target'
import { type MarkedNginx, readAgentConfig, renderOn, silent } from './agent-rendering.ts'
import type { Ctx } from './ctx.ts'

/** What the nginx of an agent would do with a request. The files are those that the agent renders, made here as it makes them. */
export async function explainRequest(ctx: Ctx, workspaceId: string, input: ExplainInput): Promise<Explanation> {
  const { agent_id: agentId, config: which } = input
  const known = await ctx.db
    .selectFrom('agents')
    .select('id')
    .where('id', '=', agentId)
    .where('workspace_id', '=', workspaceId)
    .executeTakeFirst()
  if (!known) throw invalid([{ field: 'agent_id', message: 'no such agent in this workspace', code: 'UNKNOWN_REFERENCE' }])
  const { nginx, desired, applied } = await readAgentConfig(ctx, agentId)
  if (!nginx) throw new ApiError('CONFLICT', silent)
  if (which === 'desired') {
    const { digest } = desired
    return explainIn(renderOn(nginx, desired.config(), digest, generationName(desired)), nginx, input)
  }
  if (!applied?.config) throw new ApiError('CONFLICT', 'what this agent has applied is not known here')
  return explainIn(renderOn(nginx, applied.config, applied.digest, nginx.generation), nginx, input)
}

function explainIn(rendered: Rendered, { installation }: MarkedNginx, input: ExplainInput): Explanation {
  const included = installation.mode === 'include'
  const files = new Map(rendered.files.map(({ path, text }) => [path, text]))
  const read = readConfig(files, included ? 'http.conf' : 'nginx.conf', included)
  if (!read.ok) throw new ApiError('CONFLICT', `the files of this agent cannot be read: ${read.message}`)
  const told = explain(compileConfig(read.http), incomingOf(input), placesIn(rendered.sources))
  const around = "nothing in the host's own nginx.conf listens on this port or sets what holds here"
  return included ? { ...told, assumptions: [around, ...told.assumptions] } : told
}
