import { ApiError } from '@nxmesh/api/errors'
import type { Access, WorkspaceThing } from '@nxmesh/api/route'
import {
  isOrganizationRole,
  isWorkspaceRole,
  limitOrganizationRole,
  limitWorkspaceRole,
  type OrganizationRole,
  type TokenRole,
  type WorkspaceRole,
} from '@nxmesh/model/roles'
import type { Kysely } from 'kysely'
import { prepared } from './db/prepared.ts'
import type { Database } from './db/schema.ts'

/** Who calls, and by what they proved it. */
export interface Actor {
  user_id: string
  email: string
  credential: { kind: 'session'; id: string } | ({ kind: 'api_token'; id: string; name: string; expires_at: string } & TokenScope)
  /** Signed in with a password that somebody else has set: first they have to set one of their own. */
  must_change_password: boolean
}

/** What an API token reaches: an organization or one workspace of it, up to a role. */
export interface TokenScope {
  organization_id: string
  workspace_id: string | null
  role: TokenRole
}

type Db = Kysely<Database>

/**
 * Every read and write passes here: throws NOT_FOUND for a resource the actor may not see, FORBIDDEN for one that the actor
 * sees but may not do this with.
 */
export async function authorise(db: Db, actor: Actor, access: Access, params: Record<string, string>): Promise<void> {
  const { on } = access
  if (on === 'none' || on === 'anybody') return
  if (on !== 'self' && actor.must_change_password) {
    throw new ApiError('FORBIDDEN', 'you signed in with a one-time password: set one of your own first, with POST /v1/auth/password')
  }
  const denied = await denial(db, actor, access, params)
  if (denied === 'unseen') throw new ApiError('NOT_FOUND', `${words[on] ?? on} not found`)
  if (access.by === 'person' && actor.credential.kind === 'api_token') {
    throw new ApiError('FORBIDDEN', 'an API token cannot do this; sign in')
  }
  if (denied) throw new ApiError('FORBIDDEN', denied.needs)
}

const words: Partial<Record<Access['on'], string>> = {
  virtual_host: 'virtual host',
  stream_host: 'stream host',
  account: 'user',
  acme_account: 'ACME account',
  api_token: 'API token',
  alert_rule: 'alert rule',
  notification_channel: 'notification channel',
  notification_delivery: 'notification delivery',
  dns_provider: 'DNS provider',
}

type Denial = 'unseen' | { needs: string } | undefined

async function denial(db: Db, actor: Actor, access: Access, params: Record<string, string>): Promise<Denial> {
  switch (access.on) {
    case 'none':
    case 'anybody':
    case 'user':
    case 'self':
      return undefined
    case 'api_token':
      return (await ownsToken(db, actor, params['token_id']!)) ? undefined : 'unseen'
    case 'account': {
      if (!(await seesUser(db, actor, params['user_id']!))) return 'unseen'
      if (access.need === 'see' || (await administersUser(db, actor, params['user_id']!))) return undefined
      return { needs: 'this needs a role as high as theirs in every organization that this user belongs to' }
    }
    case 'organization': {
      const role = await organizationRole(db, actor, params['organization_id']!)
      if (!role) return 'unseen'
      if (isOrganizationRole(role, access.need) || (access.self && isOneself(actor, params))) return undefined
      return { needs: `this needs the role ${access.need} in the organization` }
    }
    case 'workspace':
    case 'agent':
    case 'virtual_host':
    case 'stream_host':
    case 'upstream':
    case 'certificate':
    case 'acme_account':
    case 'alert_rule':
    case 'alert':
    case 'notification_channel':
    case 'notification_delivery':
    case 'dns_provider': {
      const role = await workspaceRole(db, actor, access.on, params[`${access.on}_id`]!)
      if (!role) return 'unseen'
      if (isWorkspaceRole(role, access.need) || (access.self && isOneself(actor, params))) return undefined
      return { needs: `this needs the role ${access.need} in the workspace` }
    }
    default:
      return access satisfies never
  }
}

/** What the actor may do in an organization; undefined where they see nothing of it. */
export async function organizationRole(db: Db, actor: Actor, organizationId: string): Promise<OrganizationRole | undefined> {
  const scope = scopeOf(actor)
  if (scope && (scope.organization_id !== organizationId || scope.workspace_id !== null)) return undefined
  const row = await db
    .selectFrom('organization_members')
    .select('role')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', actor.user_id)
    .executeTakeFirst()
  return row && (scope ? limitOrganizationRole(row.role, scope.role) : row.role)
}

/** Whether the actor sees a workspace and it belongs to that organization. */
export async function seesWorkspace(db: Db, actor: Actor, organizationId: string, workspaceId: string): Promise<boolean> {
  const visible = await visibleWorkspaces(db, actor, organizationId)
  return (await visible.select('id').where('id', '=', workspaceId).executeTakeFirst()) !== undefined
}

// Owners and admins of the organization are admins of its workspaces.
async function workspaceRole(db: Db, actor: Actor, on: WorkspaceThing, id: string): Promise<WorkspaceRole | undefined> {
  const [row] = await readRoles[on](db, actor.user_id, id)
  if (!row) return undefined
  const scope = scopeOf(actor)
  if (scope && (scope.organization_id !== row.organization_id || (scope.workspace_id ?? row.id) !== row.id)) return undefined
  const role = row.in_organization && isOrganizationRole(row.in_organization, 'admin') ? 'admin' : row.in_workspace
  return (role && scope ? limitWorkspaceRole(role, scope.role) : role) ?? undefined
}

const readRoles: Record<WorkspaceThing, ReturnType<typeof rolesOn>> = {
  workspace: rolesOn(undefined),
  agent: rolesOn('agents'),
  virtual_host: rolesOn('virtual_hosts'),
  stream_host: rolesOn('stream_hosts'),
  upstream: rolesOn('upstreams'),
  certificate: rolesOn('certificates'),
  acme_account: rolesOn('acme_accounts'),
  alert_rule: rolesOn('alert_rules'),
  alert: rolesOn('alerts'),
  notification_channel: rolesOn('notification_channels'),
  notification_delivery: rolesOn('notification_deliveries'),
  dns_provider: rolesOn('dns_providers'),
}

type WorkspaceTable =
  | 'agents'
  | 'virtual_hosts'
  | 'stream_hosts'
  | 'upstreams'
  | 'certificates'
  | 'acme_accounts'
  | 'alert_rules'
  | 'alerts'
  | 'notification_channels'
  | 'notification_deliveries'
  | 'dns_providers'

// A user's roles in the workspace of a thing and in its organization.
function rolesOn(table: WorkspaceTable | undefined) {
  return prepared((db, userId: string, id: string) =>
    db
      .selectFrom('workspaces as w')
      .leftJoin('organization_members as o', (join) =>
        join.onRef('o.organization_id', '=', 'w.organization_id').on('o.user_id', '=', userId),
      )
      .leftJoin('workspace_members as m', (join) => join.onRef('m.workspace_id', '=', 'w.id').on('m.user_id', '=', userId))
      .select(['w.id', 'w.organization_id', 'o.role as in_organization', 'm.role as in_workspace'])
      .where('w.id', '=', (eb) => (table === undefined ? eb.val(id) : eb.selectFrom(table).select('workspace_id').where('id', '=', id))),
  )
}

/** The organizations that the actor may see. */
export function visibleOrganizations(db: Db, actor: Actor) {
  const scope = scopeOf(actor)
  const mine = db.selectFrom('organization_members').select('organization_id').where('user_id', '=', actor.user_id)
  const all = db.selectFrom('organizations').where('id', 'in', mine)
  if (!scope) return all
  return scope.workspace_id === null ? all.where('id', '=', scope.organization_id) : all.where((eb) => eb.lit(false))
}

/** The workspaces of an organization that the actor may see: all for its owners and admins, else those the actor is a member of. */
export async function visibleWorkspaces(db: Db, actor: Actor, organizationId: string) {
  const all = db.selectFrom('workspaces').where('organization_id', '=', organizationId)
  const row = await db
    .selectFrom('organization_members')
    .select('role')
    .where('organization_id', '=', organizationId)
    .where('user_id', '=', actor.user_id)
    .executeTakeFirst()
  if (row && isOrganizationRole(row.role, 'admin')) return all
  return all.where('id', 'in', db.selectFrom('workspace_members').select('workspace_id').where('user_id', '=', actor.user_id))
}

/** Every workspace that the actor sees, in all organizations. */
export async function seenWorkspaces(db: Db, actor: Actor): Promise<{ id: string; name: string }[]> {
  const mine = (table: 'organization_members' | 'workspace_members') => db.selectFrom(table).where('user_id', '=', actor.user_id)
  const administered = mine('organization_members').select('organization_id').where('role', 'in', ['admin', 'owner'])
  const joined = mine('workspace_members').select('workspace_id')
  const all = db.selectFrom('workspaces').select(['id', 'name', 'organization_id'])
  // Two selects, each with an index of its own: for one with "or" PostgreSQL reads all workspaces.
  const rows = await all
    .where('organization_id', 'in', administered)
    .union(all.where('id', 'in', joined))
    .execute()
  return rows.filter((row) => reaches(actor, row))
}

/** Everybody who sees a workspace, before what limits an API token; nobody where it is gone. */
export async function viewersOf(db: Db, workspaceId: string): Promise<Set<string>> {
  const rows = await db
    .selectFrom('workspaces as w')
    .innerJoin('organization_members as o', 'o.organization_id', 'w.organization_id')
    .select('o.user_id')
    .where('w.id', '=', workspaceId)
    .where('o.role', 'in', ['admin', 'owner'])
    .union(db.selectFrom('workspace_members').select('user_id').where('workspace_id', '=', workspaceId))
    .execute()
  return new Set(rows.map((row) => row.user_id))
}

/** Whether what an actor came with reaches a workspace that its user sees. */
export function reaches(actor: Actor, workspace: { id: string; organization_id: string }): boolean {
  const scope = scopeOf(actor)
  if (!scope) return true
  return scope.organization_id === workspace.organization_id && (scope.workspace_id ?? workspace.id) === workspace.id
}

/** The users that the actor may see: themselves, and the members of the organizations they administer. */
export function visibleUsers(db: Db, actor: Actor) {
  const scope = scopeOf(actor)
  let administered = db
    .selectFrom('organization_members')
    .select('organization_id')
    .where('user_id', '=', actor.user_id)
    .where('role', 'in', ['admin', 'owner'])
  if (scope) administered = administered.where('organization_id', '=', administers(scope) ? scope.organization_id : '')
  const members = db
    .selectFrom('organization_members')
    .select('organization_members.user_id')
    .where('organization_id', 'in', administered)
    .union(db.selectFrom('users').select('users.id as user_id').where('users.id', '=', actor.user_id))
  return db.selectFrom('users').where('id', 'in', members)
}

export async function seesUser(db: Db, actor: Actor, userId: string): Promise<boolean> {
  return (await visibleUsers(db, actor).select('id').where('id', '=', userId).executeTakeFirst()) !== undefined
}

// An account may belong to several organizations: whoever could change it for one only would reach into the others.
async function administersUser(db: Db, actor: Actor, userId: string): Promise<boolean> {
  if (userId === actor.user_id) return true
  const theirs = await db.selectFrom('organization_members').selectAll().where('user_id', '=', userId).execute()
  for (const { organization_id, role } of theirs) {
    const mine = await organizationRole(db, actor, organization_id)
    if (!mine || !isOrganizationRole(mine, 'admin') || !isOrganizationRole(mine, role)) return false
  }
  return true
}

async function ownsToken(db: Db, actor: Actor, tokenId: string): Promise<boolean> {
  const row = await db.selectFrom('api_tokens').select('user_id').where('id', '=', tokenId).executeTakeFirst()
  return row?.user_id === actor.user_id
}

/** What limits an actor who came with an API token. */
export function scopeOf({ credential }: Actor): TokenScope | undefined {
  return credential.kind === 'api_token' ? credential : undefined
}

function administers({ workspace_id, role }: TokenScope): boolean {
  return workspace_id === null && (role === 'admin' || role === 'owner')
}

// A token acts for its owner, but it does not take them out of anything that its role does not reach.
function isOneself(actor: Actor, params: Record<string, string>): boolean {
  return actor.credential.kind === 'session' && params['user_id'] === actor.user_id
}
