import { ApiError } from '@nxmesh/api/errors'
import type { Access, OrganizationNeed, WorkspaceNeed } from '@nxmesh/api/route'
import type { Kysely } from 'kysely'
import type { Database } from './db/schema.ts'

/** Who calls. */
export interface Actor {
  user_id: string
  email: string
}

type WorkspaceRole = Database['workspace_members']['role']
type OrganizationRole = Database['organization_members']['role']

const organizationRank: Record<OrganizationNeed | OrganizationRole, number> = { member: 1, admin: 2, owner: 3 }
const workspaceRank: Record<WorkspaceNeed | WorkspaceRole, number> = { viewer: 1, operator: 2, admin: 3 }

/**
 * Every read and write passes here: throws NOT_FOUND for a resource the actor may not see, FORBIDDEN for one that the actor
 * sees but whose role is too low.
 */
export async function authorise(db: Kysely<Database>, actor: Actor, access: Access, params: Record<string, string>): Promise<void> {
  if (access.on === 'none' || access.on === 'user') return
  if (access.on === 'organization') {
    const role = await organizationRole(db, actor, params['organization_id']!)
    if (!role) throw new ApiError('NOT_FOUND', 'organization not found')
    if (organizationRank[role] < organizationRank[access.need]) throw forbidden(access.need)
    return
  }
  const what = access.on.replace('_', ' ')
  const workspaceId = await workspaceOf(db, access.on, params[`${access.on}_id`]!)
  const role = workspaceId === undefined ? undefined : await workspaceRole(db, actor, workspaceId)
  if (!role) throw new ApiError('NOT_FOUND', `${what} not found`)
  if (workspaceRank[role] < workspaceRank[access.need]) throw forbidden(access.need)
}

/** The workspaces of an organization that the actor may see: all for its owners and admins, else those the actor is a member of. */
export async function visibleWorkspaces(db: Kysely<Database>, actor: Actor, organizationId: string) {
  const role = await organizationRole(db, actor, organizationId)
  const query = db.selectFrom('workspaces').where('organization_id', '=', organizationId)
  if (role === 'owner' || role === 'admin') return query
  return query.where('id', 'in', db.selectFrom('workspace_members').select('workspace_id').where('user_id', '=', actor.user_id))
}

async function workspaceOf(
  db: Kysely<Database>,
  on: 'workspace' | 'agent' | 'virtual_host' | 'upstream',
  id: string,
): Promise<string | undefined> {
  if (on === 'workspace') return id
  const table = ({ agent: 'agents', virtual_host: 'virtual_hosts', upstream: 'upstreams' } as const)[on]
  return (await db.selectFrom(table).select('workspace_id').where('id', '=', id).executeTakeFirst())?.workspace_id
}

async function organizationRole(db: Kysely<Database>, actor: Actor, organizationId: string): Promise<OrganizationRole | undefined> {
  const row = await db
    .selectFrom('organization_members')
    .select('role')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', actor.user_id)
    .executeTakeFirst()
  return row?.role
}

// Owners and admins of the organization are admins of its workspaces.
async function workspaceRole(db: Kysely<Database>, actor: Actor, workspaceId: string): Promise<WorkspaceRole | undefined> {
  const workspace = await db.selectFrom('workspaces').select('organization_id').where('id', '=', workspaceId).executeTakeFirst()
  if (!workspace) return undefined
  const inOrganization = await organizationRole(db, actor, workspace.organization_id)
  if (inOrganization === 'owner' || inOrganization === 'admin') return 'admin'
  const row = await db
    .selectFrom('workspace_members')
    .select('role')
    .where('workspace_id', '=', workspaceId)
    .where('user_id', '=', actor.user_id)
    .executeTakeFirst()
  return row?.role
}

function forbidden(need: string): ApiError {
  return new ApiError('FORBIDDEN', `this needs the role ${need}`)
}
