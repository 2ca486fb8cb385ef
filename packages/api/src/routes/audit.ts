import { auditEntry } from '@nxmesh/model/audit'
import { line } from '@nxmesh/model/text'
import { z } from 'zod'
import { moment } from '../moment.ts'
import { ids, pageOf, paging, route } from '../route.ts'

const word = line(320).optional()

const filters = paging.extend({
  from: moment.meta({ description: 'Only what happened at or after this time.' }),
  to: moment.meta({ description: 'Only what happened before this time.' }),
  actor: word.meta({ description: 'Id or name of who did it.' }),
  action: word.meta({ description: 'An operation id, or the part before the dot: `virtual-host`.' }),
  object: word.meta({ description: 'Id or kind of what it was done to.' }),
  format: z
    .enum(['json', 'csv', 'jsonl'])
    .default('json')
    .meta({ description: '`csv` and `jsonl` give everything that matches at once, not a page.' }),
})

export type AuditFilters = z.output<typeof filters>

export const listWorkspaceAudit = route({
  id: 'audit-log.workspace',
  method: 'GET',
  path: '/workspaces/{workspace_id}/audit-log',
  summary: 'List what was done in a workspace, newest first, or export it',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  query: filters,
  response: pageOf(auditEntry),
  produces: ['text/csv', 'application/jsonl'],
})

export const listOrganizationAudit = route({
  id: 'audit-log.organization',
  method: 'GET',
  path: '/organizations/{organization_id}/audit-log',
  summary: 'List what was done in an organization and its workspaces, newest first, or export it',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id'),
  query: filters,
  response: pageOf(auditEntry),
  produces: ['text/csv', 'application/jsonl'],
})
