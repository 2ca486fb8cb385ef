import { limitWorkspaceRole, type WorkspaceRole } from '@nxmesh/model/roles'
import type { Me } from '@nxmesh/model/user'
import { type Actor, organizationRole, scopeOf } from './access.ts'
import type { Ctx } from './ctx.ts'
import { getUser } from './users.ts'

/** Who an actor is and where they belong, as far as what they came with reaches: with a token for a workspace, nowhere else. */
export async function meOf(ctx: Pick<Ctx, 'db'>, actor: Actor): Promise<Me> {
  const { body: user } = await getUser(ctx, actor.user_id)
  const organizations = await ctx.db
    .selectFrom('organization_members as m')
    .innerJoin('organizations as o', 'o.id', 'm.organization_id')
    .select(['o.id', 'o.name', 'o.slug', 'm.role'])
    .where('m.user_id', '=', actor.user_id)
    .orderBy('o.created_at')
    .orderBy('o.id')
    .execute()
  const workspaces = await ctx.db
    .selectFrom('workspace_members as m')
    .innerJoin('workspaces as w', 'w.id', 'm.workspace_id')
    .select(['w.id', 'w.name', 'w.slug', 'w.organization_id', 'm.role'])
    .where('m.user_id', '=', actor.user_id)
    .orderBy('w.created_at')
    .orderBy('w.id')
    .execute()
  const memberships: Me['memberships'] = []
  for (const { role: _own, ...organization } of organizations) {
    const role = await organizationRole(ctx.db, actor, organization.id)
    if (!role) continue
    const own = workspaces.filter((workspace) => workspace.organization_id === organization.id)
    memberships.push({
      organization,
      role,
      workspaces: own.map(({ organization_id: _organization, ...workspace }) => ({ ...workspace, role: limited(actor, workspace.role) })),
    })
  }
  return { user, must_change_password: actor.must_change_password, token: tokenOf(actor), memberships }
}

function tokenOf({ credential }: Actor): Me['token'] {
  if (credential.kind !== 'api_token') return null
  const { kind: _kind, ...token } = credential
  return token
}

function limited(actor: Actor, role: WorkspaceRole): WorkspaceRole {
  const scope = scopeOf(actor)
  return scope ? limitWorkspaceRole(role, scope.role) : role
}
