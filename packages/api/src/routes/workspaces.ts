import { settings } from '@nxmesh/model/settings'
import { workspace, workspaceInput } from '@nxmesh/model/workspace'
import { z } from 'zod'
import { type Patch, patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listWorkspaces = route({
  id: 'workspace.list',
  method: 'GET',
  path: '/organizations/{organization_id}/workspaces',
  summary: 'List the workspaces of an organization',
  access: { on: 'organization', need: 'member' },
  params: ids('organization_id'),
  query: paging,
  response: pageOf(workspace),
})

export const createWorkspace = route({
  id: 'workspace.create',
  method: 'POST',
  path: '/organizations/{organization_id}/workspaces',
  summary: 'Create a workspace',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id'),
  body: workspaceInput,
  response: workspace,
  status: 201,
})

export const getWorkspace = route({
  id: 'workspace.get',
  method: 'GET',
  path: '/workspaces/{workspace_id}',
  summary: 'Get a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  response: workspace,
})

export const updateWorkspace = route({
  id: 'workspace.update',
  method: 'PATCH',
  path: '/workspaces/{workspace_id}',
  summary: 'Change a workspace',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  body: patchOf(workspaceInput),
  response: workspace,
})

export const deleteWorkspace = route({
  id: 'workspace.delete',
  method: 'DELETE',
  path: '/workspaces/{workspace_id}',
  summary: 'Delete a workspace and everything in it',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  query: z.strictObject({ force: z.enum(['true', 'false']).default('false') }),
})

export const getSettings = route({
  id: 'settings.get',
  method: 'GET',
  path: '/workspaces/{workspace_id}/settings',
  summary: 'Get the settings that every agent of the workspace gets',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  response: settings,
})

export const updateSettings = route({
  id: 'settings.update',
  method: 'PATCH',
  path: '/workspaces/{workspace_id}/settings',
  summary: 'Change the settings that every agent of the workspace gets',
  access: { on: 'workspace', need: 'operator' },
  params: ids('workspace_id'),
  body: patchOf(settings),
  response: settings,
})

export type SettingsPatch = Patch<z.input<typeof settings>>

export type WorkspacePatch = Patch<z.input<typeof workspaceInput>>
