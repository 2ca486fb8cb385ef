import { ApiError, invalid } from '@nxmesh/api/errors'
import type { ExplainInput, Explanation } from '@nxmesh/model/explanation'
import { generationName } from '@nxmesh/nginx/render/target'
import { readAgentConfig, silent, targetOn } from '../agent-rendering.ts'
import type { Ctx } from '../ctx.ts'

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
  if (which === 'desired')
    return ctx.explainer.explain(targetOn(nginx, desired.digest, generationName(desired)), input, async () => desired.config())
  if (!applied) throw unknown()
  return ctx.explainer.explain(targetOn(nginx, applied.digest, nginx.generation), input, async () => {
    const config = await applied.config()
    if (!config) throw unknown()
    return config
  })
}

function unknown(): ApiError {
  return new ApiError('CONFLICT', 'what this agent has applied is not known here')
}
