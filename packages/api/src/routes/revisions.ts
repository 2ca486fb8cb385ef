import { revision, revisionDetail, revisionDiff, rollbackResult } from '@nxmesh/model/revision'
import { z } from 'zod'
import { ids, pageOf, paging, route } from '../route.ts'

const reason = z
  .string()
  .min(1, 'must not be empty')
  .max(500, 'must be at most 500 characters')
  .refine((text) => !/[\u0000-\u001f\u007f]/.test(text), 'must not contain control characters')

const versionText = z
  .string()
  .regex(/^\d{1,15}$/, 'must be a whole number')
  .transform(Number)

const atVersion = ids('workspace_id').extend({ version: versionText })

export const listRevisions = route({
  id: 'revision.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/revisions',
  summary: 'List the versions of a workspace, newest first, with what each changed',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(revision),
})

export const getRevision = route({
  id: 'revision.get',
  method: 'GET',
  path: '/workspaces/{workspace_id}/revisions/{version}',
  summary: 'Get a version with everything the workspace consisted of then',
  access: { on: 'workspace', need: 'viewer' },
  params: atVersion,
  response: revisionDetail,
})

export const diffRevision = route({
  id: 'revision.diff',
  method: 'GET',
  path: '/workspaces/{workspace_id}/revisions/{version}/diff',
  summary: 'Compare a version with the one before, or with any other',
  access: { on: 'workspace', need: 'viewer' },
  params: atVersion,
  query: z.strictObject({ against: versionText.optional() }),
  response: revisionDiff,
})

export const rollbackWorkspace = route({
  id: 'workspace.rollback',
  method: 'POST',
  path: '/workspaces/{workspace_id}/rollback',
  summary: 'Make a new version with the content of an earlier one',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: z
    .strictObject({ version: z.int().min(1, 'must be a version of the workspace'), reason: reason.optional() })
    .meta({ id: 'Rollback' }),
  response: rollbackResult,
})
