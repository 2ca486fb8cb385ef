import { metrics } from '@nxmesh/model/metrics'
import { z } from 'zod'
import { moment } from '../moment.ts'
import { ids, route, whole } from '../route.ts'

const window = z.strictObject({
  from: moment.meta({ description: 'The beginning; an hour before `to` when left out.' }),
  to: moment.meta({ description: 'The end, which does not belong to it; now when left out.' }),
  step: whole(31 * 86_400)
    .optional()
    .meta({ description: 'Seconds; adds a `series` with what happened in each step.' }),
})

export type MetricsQuery = z.output<typeof window>

export const getWorkspaceMetrics = route({
  id: 'metrics.workspace',
  method: 'GET',
  path: '/workspaces/{workspace_id}/metrics',
  summary: 'Get what the agents of a workspace served',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: window,
  response: metrics,
})

export const getAgentMetrics = route({
  id: 'metrics.agent',
  method: 'GET',
  path: '/agents/{agent_id}/metrics',
  summary: 'Get what an agent served',
  access: { on: 'agent', need: 'viewer' },
  params: ids('agent_id'),
  query: window,
  response: metrics,
})
