import { ApiError } from '@nxmesh/api/errors'
import type { CommandResult } from '@nxmesh/api/routes/agents'
import { type Ctx, timestamp } from './ctx.ts'
import type { AgentCommand } from './link/sessions.ts'

/** Sends a command to an agent and waits for its result: CONFLICT when it is offline, SERVICE_UNAVAILABLE when it does not answer. */
export async function commandAgent(ctx: Ctx, agentId: string, command: AgentCommand, timeoutSeconds = 30): Promise<CommandResult> {
  const outcome = await ctx.sessions.command(agentId, command, timeoutSeconds * 1000)
  switch (outcome.kind) {
    case 'answered':
      return { success: outcome.success, message: outcome.message, timestamp: timestamp(ctx) }
    case 'offline':
      throw await notHere(ctx, agentId)
    case 'unanswered':
      throw new ApiError('SERVICE_UNAVAILABLE', `the agent did not answer within ${timeoutSeconds} seconds`)
    default:
      return outcome satisfies never
  }
}

// An agent is reached through the master it is connected to.
async function notHere(ctx: Ctx, agentId: string): Promise<ApiError> {
  const row = await ctx.db.selectFrom('agents').select(['connected', 'master_id']).where('id', '=', agentId).executeTakeFirst()
  if (row?.connected !== 1 || row.master_id === ctx.masterId) return new ApiError('CONFLICT', 'the agent is offline')
  return new ApiError('SERVICE_UNAVAILABLE', 'the agent is connected to another master of this database; this one cannot reach it')
}
