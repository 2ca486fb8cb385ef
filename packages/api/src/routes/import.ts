import { agentImportInput, importInput, importResult } from '@nxmesh/model/import'
import { ids, route } from '../route.ts'

export const importWorkspace = route({
  id: 'workspace.import',
  method: 'POST',
  path: '/workspaces/{workspace_id}/import',
  summary: 'Turn a configuration of nginx into virtual hosts, upstreams and settings, or show what it would become',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: importInput,
  response: importResult,
})

export const importFromAgent = route({
  id: 'agent.import',
  method: 'POST',
  path: '/agents/{agent_id}/import',
  summary: "Turn the configuration that the agent's host has into objects for this agent, or show what it would become",
  access: { on: 'agent', need: 'operator' },
  params: ids('agent_id'),
  body: agentImportInput,
  response: importResult,
  waits: true,
})
