import { id } from '@nxmesh/model/text'
import { findingKinds, findingSeverities, workspaceFinding } from '@nxmesh/model/workspace-finding'
import { z } from 'zod'
import { ids, pageOf, paging, route } from '../route.ts'

const findingQuery = paging.extend({
  severity: z.enum(findingSeverities).optional(),
  kind: z.enum(findingKinds).optional(),
  object_id: id.optional(),
  code: z
    .string()
    .regex(/^[a-z][a-z0-9_]{0,63}$/, 'must be the code of a finding')
    .optional(),
  agent_id: id.optional(),
})

export type FindingQuery = z.output<typeof findingQuery>

export const listFindings = route({
  id: 'finding.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/findings',
  summary: 'List what is wrong or could be better in what a workspace serves, gravest first',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: findingQuery,
  response: pageOf(workspaceFinding),
})
