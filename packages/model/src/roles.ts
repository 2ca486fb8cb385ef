import { z } from 'zod'

/** Roles in an organization: a member sees it, an admin changes it and all its workspaces, an owner may also delete it. */
export const organizationRoles = ['member', 'admin', 'owner'] as const
/** Roles in a workspace: a viewer reads, an operator changes config and commands agents, an admin changes the workspace itself. */
export const workspaceRoles = ['viewer', 'operator', 'admin'] as const
/** What an API token may be limited to, from least to most. */
export const tokenRoles = ['viewer', 'operator', 'admin', 'owner'] as const

export type OrganizationRole = (typeof organizationRoles)[number]
export type WorkspaceRole = (typeof workspaceRoles)[number]
export type TokenRole = (typeof tokenRoles)[number]

export const organizationRole = z.enum(organizationRoles)
export const workspaceRole = z.enum(workspaceRoles)
export const tokenRole = z.enum(tokenRoles)

/** Whether a role in an organization is at least another. */
export function isOrganizationRole(role: OrganizationRole, atLeast: OrganizationRole): boolean {
  return organizationRoles.indexOf(role) >= organizationRoles.indexOf(atLeast)
}

/** Whether a role in a workspace is at least another. */
export function isWorkspaceRole(role: WorkspaceRole, atLeast: WorkspaceRole): boolean {
  return workspaceRoles.indexOf(role) >= workspaceRoles.indexOf(atLeast)
}

/** The role in an organization that remains of one under the limit of an API token. */
export function limitOrganizationRole(role: OrganizationRole, limit: TokenRole): OrganizationRole {
  const most = ({ viewer: 'member', operator: 'member', admin: 'admin', owner: 'owner' } as const)[limit]
  return isOrganizationRole(role, most) ? most : role
}

/** The role in a workspace that remains of one under the limit of an API token. */
export function limitWorkspaceRole(role: WorkspaceRole, limit: TokenRole): WorkspaceRole {
  const most = limit === 'owner' ? 'admin' : limit
  return isWorkspaceRole(role, most) ? most : role
}
