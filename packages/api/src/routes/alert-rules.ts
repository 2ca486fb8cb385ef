import { alertRule, alertRuleInput } from '@nxmesh/model/alert-rule'
import type { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listAlertRules = route({
  id: 'alert-rule.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/alert-rules',
  summary: 'List the alert rules of a workspace, those that it came with among them',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(alertRule),
})

export const createAlertRule = route({
  id: 'alert-rule.create',
  method: 'POST',
  path: '/workspaces/{workspace_id}/alert-rules',
  summary: 'Create an alert rule',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: alertRuleInput,
  response: alertRule,
  status: 201,
})

export const getAlertRule = route({
  id: 'alert-rule.get',
  method: 'GET',
  path: '/alert-rules/{alert_rule_id}',
  summary: 'Get an alert rule',
  access: { on: 'alert_rule', need: 'viewer' },
  params: ids('alert_rule_id'),
  response: alertRule,
})

export const updateAlertRule = route({
  id: 'alert-rule.update',
  method: 'PATCH',
  path: '/alert-rules/{alert_rule_id}',
  summary: 'Change an alert rule',
  access: { on: 'alert_rule', need: 'operator' },
  params: ids('alert_rule_id'),
  body: patchOf(alertRuleInput),
  response: alertRule,
})

export const deleteAlertRule = route({
  id: 'alert-rule.delete',
  method: 'DELETE',
  path: '/alert-rules/{alert_rule_id}',
  summary: 'Delete an alert rule; its alerts end',
  access: { on: 'alert_rule', need: 'operator' },
  params: ids('alert_rule_id'),
})

export type AlertRulePatch = Patch<z.input<typeof alertRuleInput>>
