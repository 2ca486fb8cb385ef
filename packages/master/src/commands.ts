import { ApiError } from '@nxmesh/api/errors'
import type { CommandResult } from '@nxmesh/api/routes/agents'
import { explainWords } from '@nxmesh/nginx/explain-output'
import { objectOf, readAgent } from './agents.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { AgentCommand } from './link/sessions.ts'

/** A command was sent, and what became of it is not known. */
export class Unanswered extends ApiError {
  constructor(message: string) {
    super('SERVICE_UNAVAILABLE', message)
  }
}

/** Sends a command to an agent and waits for its result: CONFLICT when it is offline, SERVICE_UNAVAILABLE when it does not answer. */
export async function commandAgent(ctx: Ctx, agentId: string, command: AgentCommand, timeoutSeconds = 30): Promise<CommandResult> {
  const { success, message } = await askAgent(ctx, agentId, command, timeoutSeconds)
  const findings = explainWords(message)
  return { success, message, timestamp: timestamp(ctx), ...(findings.length > 0 && { findings }) }
}

/** The same, with what the agent was asked for beside the result. */
export async function askAgent(ctx: Ctx, agentId: string, command: AgentCommand, timeoutSeconds = 30) {
  if (ctx.db.isTransaction) throw new Error('a command waits for its agent, which no transaction can hold')
  if (!ctx.sessions.get(agentId)) throw await notHere(ctx, agentId)
  // On record before it is sent: what was asked for is known even if nobody lives to see the answer.
  await record(ctx, agentId, { after: shown(command) })
  const outcome = await ctx.sessions.command(agentId, command, timeoutSeconds * 1000)
  switch (outcome.kind) {
    case 'answered':
      await recordResult(ctx, agentId, { success: outcome.success, message: outcome.message })
      return outcome
    case 'offline':
      throw await notHere(ctx, agentId)
    case 'cut':
      await recordResult(ctx, agentId, { success: null, message: 'the connection to the agent ended before it answered' })
      throw new Unanswered('the connection to the agent ended before it answered')
    case 'unanswered':
      await recordResult(ctx, agentId, { success: null, message: 'the agent did not answer' })
      throw new Unanswered(`the agent did not answer within ${timeoutSeconds} seconds`)
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

// The command was carried out, and what it was is on record: whoever asked is told, also where the database is away by now.
async function recordResult(ctx: Ctx, agentId: string, after: { success: boolean | null; message: string }): Promise<void> {
  await record(ctx, agentId, { action: 'agent.command-result', after }).catch((error: unknown) =>
    ctx.log.error({ err: error, agent_id: agentId, ...after }, 'the result of a command could not be recorded'),
  )
}

async function record(ctx: Ctx, agentId: string, deed: { action?: string; after: object }): Promise<void> {
  const row = await readAgent(ctx.db, agentId)
  await audit(ctx, ctx.db, { ...deed, workspaceId: row.workspace_id, object: objectOf(row) })
}

// A config that is only to be tested may be long, and may hold anything.
function shown(command: AgentCommand): object {
  return command.kind === 'validate_config' ? { kind: command.kind, characters: command.config_content.length } : command
}
