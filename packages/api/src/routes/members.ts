import {
  newOrganizationMember,
  newWorkspaceMember,
  organizationMember,
  organizationMemberChanges,
  workspaceMember,
  workspaceMemberChanges,
} from '@nxmesh/model/member'
import { patchOf } from '../merge-patch.ts'
import { ids, pageOf, paging, route } from '../route.ts'

export const listOrganizationMembers = route({
  id: 'organization-member.list',
  method: 'GET',
  path: '/organizations/{organization_id}/members',
  summary: 'List the members of an organization',
  access: { on: 'organization', need: 'member' },
  params: ids('organization_id'),
  query: paging,
  response: pageOf(organizationMember),
})

export const addOrganizationMember = route({
  id: 'organization-member.add',
  method: 'POST',
  path: '/organizations/{organization_id}/members',
  summary: 'Add a user that you may see to an organization',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id'),
  body: newOrganizationMember,
  response: organizationMember,
  status: 201,
})

export const getOrganizationMember = route({
  id: 'organization-member.get',
  method: 'GET',
  path: '/organizations/{organization_id}/members/{user_id}',
  summary: 'Get a member of an organization',
  access: { on: 'organization', need: 'member' },
  params: ids('organization_id', 'user_id'),
  response: organizationMember,
})

export const updateOrganizationMember = route({
  id: 'organization-member.update',
  method: 'PATCH',
  path: '/organizations/{organization_id}/members/{user_id}',
  summary: 'Change the role of a member of an organization',
  access: { on: 'organization', need: 'admin' },
  params: ids('organization_id', 'user_id'),
  body: patchOf(organizationMemberChanges),
  response: organizationMember,
})

export const removeOrganizationMember = route({
  id: 'organization-member.remove',
  method: 'DELETE',
  path: '/organizations/{organization_id}/members/{user_id}',
  summary: 'Remove a member from an organization and its workspaces, or leave it',
  access: { on: 'organization', need: 'admin', self: true },
  params: ids('organization_id', 'user_id'),
})

export const listWorkspaceMembers = route({
  id: 'workspace-member.list',
  method: 'GET',
  path: '/workspaces/{workspace_id}/members',
  summary: 'List the users with a role of their own in a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id'),
  query: paging,
  response: pageOf(workspaceMember),
})

export const addWorkspaceMember = route({
  id: 'workspace-member.add',
  method: 'POST',
  path: '/workspaces/{workspace_id}/members',
  summary: 'Give a member of the organization a role in a workspace',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id'),
  body: newWorkspaceMember,
  response: workspaceMember,
  status: 201,
})

export const getWorkspaceMember = route({
  id: 'workspace-member.get',
  method: 'GET',
  path: '/workspaces/{workspace_id}/members/{user_id}',
  summary: 'Get a member of a workspace',
  access: { on: 'workspace', need: 'viewer' },
  params: ids('workspace_id', 'user_id'),
  response: workspaceMember,
})

export const updateWorkspaceMember = route({
  id: 'workspace-member.update',
  method: 'PATCH',
  path: '/workspaces/{workspace_id}/members/{user_id}',
  summary: 'Change the role of a member of a workspace',
  access: { on: 'workspace', need: 'admin' },
  params: ids('workspace_id', 'user_id'),
  body: patchOf(workspaceMemberChanges),
  response: workspaceMember,
})

export const removeWorkspaceMember = route({
  id: 'workspace-member.remove',
  method: 'DELETE',
  path: '/workspaces/{workspace_id}/members/{user_id}',
  summary: 'Remove a member from a workspace, or leave it',
  access: { on: 'workspace', need: 'admin', self: true },
  params: ids('workspace_id', 'user_id'),
})
