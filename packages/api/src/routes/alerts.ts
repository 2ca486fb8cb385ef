import { alert, alertLifeCycle } from '@nxmesh/model/alert'
import { severities } from '@nxmesh/model/severity'
import { id } from '@nxmesh/model/text'
import { z } from 'zod'
import { ids, pageOf, paging, route } from '../route.ts'

const alertQuery = paging.extend({
  state: z.enum(alertLifeCycle).optional(),
  severity: z.enum(severities).optional(),
  agent_id: id.optional(),
  rule_id: id.optional(),
})

export type AlertQuery = z.output<typeof alertQuery>

export const listAlerts = route({
  id: 'alert.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/alerts',
  summary: 'List the alerts of a workspace, newest first',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: alertQuery,
  response: pageOf(alert),
})

export const getAlert = route({
  id: 'alert.get',
  method: 'GET',
  path: '/alerts/{alert_id}',
  summary: 'Get an alert',
  access: { on: 'alert', need: 'viewer' },
  params: ids('alert_id'),
  response: alert,
})

export const acknowledgeAlert = route({
  id: 'alert.acknowledge',
  method: 'POST',
  path: '/alerts/{alert_id}/acknowledge',
  summary: 'Say that somebody looks after an alert',
  access: { on: 'alert', need: 'operator' },
  params: ids('alert_id'),
  response: alert,
})

export const resolveAlert = route({
  id: 'alert.resolve',
  method: 'POST',
  path: '/alerts/{alert_id}/resolve',
  summary: 'End an alert; it does not open again before its reason has gone and come back',
  access: { on: 'alert', need: 'operator' },
  params: ids('alert_id'),
  response: alert,
})
