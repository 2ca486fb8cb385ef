import { agent, agentChanges, agentDetail, agentStates, agentToken, agentTokenInput, finding } from '@nxmesh/model/agent'
import { agentDiff, agentFiles, applyRecord } from '@nxmesh/model/agent-files'
import { labelSelector } from '@nxmesh/model/target-agents'
import { timestamp } from '@nxmesh/model/text'
import { z } from 'zod'
import { patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

const commandResult = z
  .strictObject({
    success: z.boolean(),
    message: z.string(),
    timestamp,
    findings: z.array(finding).optional().meta({ description: "What nginx's own words in the message mean, where there are any." }),
  })
  .meta({ id: 'CommandResult' })

export type CommandResult = z.infer<typeof commandResult>

export const listAgents = route({
  id: 'agent.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/agents',
  summary: 'List the agents of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging.extend({ state: z.enum([...agentStates, 'all']).default('all'), label_selector: labelSelector.optional() }),
  response: pageOf(agent),
})

export const createAgentToken = route({
  id: 'agent.create-token',
  method: 'POST',
  path: '/workspaces/{workspace_id}/agents/tokens',
  summary: 'Create an agent and the token it registers with',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: agentTokenInput,
  response: agentToken,
  status: 201,
})

export const getAgent = route({
  id: 'agent.get',
  method: 'GET',
  path: '/agents/{agent_id}',
  summary: 'Get an agent, its health and the state of its config',
  access: { on: 'agent', need: 'viewer' },
  params: ids('agent_id'),
  response: agentDetail,
})

export const getAgentConfig = route({
  id: 'agent.get-config',
  method: 'GET',
  path: '/agents/{agent_id}/config',
  summary: 'Get the files that an agent must serve and those that it serves',
  access: { on: 'agent', need: 'viewer' },
  params: ids('agent_id'),
  response: agentFiles,
})

export const diffAgentConfig = route({
  id: 'agent.diff-config',
  method: 'GET',
  path: '/agents/{agent_id}/config/diff',
  summary: 'Compare what an agent applied with what it must run',
  access: { on: 'agent', need: 'viewer' },
  params: ids('agent_id'),
  response: agentDiff,
})

export const listApplies = route({
  id: 'agent.list-applies',
  method: 'GET',
  path: '/agents/{agent_id}/applies',
  summary: 'List the last attempts of an agent to apply a config, newest first',
  access: { on: 'agent', need: 'viewer' },
  params: ids('agent_id'),
  query: paging,
  response: pageOf(applyRecord),
})

export const updateAgent = route({
  id: 'agent.update',
  method: 'PATCH',
  path: '/agents/{agent_id}',
  summary: 'Rename an agent or change its labels',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  body: patchOf(agentChanges),
  response: agentDetail,
})

export const deleteAgent = route({
  id: 'agent.delete',
  method: 'DELETE',
  path: '/agents/{agent_id}',
  summary: 'Delete an agent, revoke its identity and cut its session',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
})

export const revokeAgent = route({
  id: 'agent.revoke',
  method: 'POST',
  path: '/agents/{agent_id}/revoke',
  summary: 'Revoke the token and the certificates of an agent and cut its session',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
})

export const retryAgent = route({
  id: 'agent.retry',
  method: 'POST',
  path: '/agents/{agent_id}/retry',
  summary: 'Offer an agent again the config that it refused',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
})

export const reloadAgent = route({
  id: 'agent.reload',
  method: 'POST',
  path: '/agents/{agent_id}/reload',
  summary: 'Reload nginx and wait for the result',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  response: commandResult,
  waits: true,
})

export const restartAgent = route({
  id: 'agent.restart',
  method: 'POST',
  path: '/agents/{agent_id}/restart',
  summary: 'Restart nginx and wait for the result',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  body: z.strictObject({ force: z.boolean().default(false) }).optional(),
  response: commandResult,
  waits: true,
})

export const stopAgent = route({
  id: 'agent.stop',
  method: 'POST',
  path: '/agents/{agent_id}/stop',
  summary: 'Stop nginx until it is restarted, and wait for the result',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  body: z.strictObject({ graceful: z.boolean().default(true), timeout_seconds: z.int().min(1).max(3600).default(30) }).optional(),
  response: commandResult,
  waits: true,
})

export const validateAgent = route({
  id: 'agent.validate',
  method: 'POST',
  path: '/agents/{agent_id}/validate',
  summary: "Test a config with the agent's own nginx, without applying it",
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  body: z.strictObject({ config_content: z.string().max(1_000_000, 'must be at most 1000000 characters') }),
  response: commandResult,
  waits: true,
})

export const refreshAgent = route({
  id: 'agent.refresh',
  method: 'POST',
  path: '/agents/{agent_id}/status',
  summary: 'Ask an agent for its health now, and wait for it',
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  response: agentDetail,
  waits: true,
})
