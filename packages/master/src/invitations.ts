import { randomBytes } from 'node:crypto'
import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { Invitation, InvitationAcceptance, InvitationInput } from '@nxmesh/model/member'
import type { Problem } from '@nxmesh/model/problem'
import { isOrganizationRole, isWorkspaceRole, type OrganizationRole } from '@nxmesh/model/roles'
import type { Me } from '@nxmesh/model/user'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, organizationRole } from './access.ts'
import { audit } from './audit.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { meOf } from './me.ts'
import { requireGrantable } from './organization-members.ts'
import { rangeOf } from './page.ts'
import { hashPassword } from './passwords.ts'
import { refusingDuplicate } from './unique.ts'
import { hashOf } from './user-sessions.ts'
import { uuidv7 } from './uuid.ts'

type Db = Kysely<Database>
type Row = Selectable<Database['invitations']>

const tokenBegin = 'nxmesh_invitation_'

export async function listInvitations(ctx: Ctx, organizationId: string, paging: Paging) {
  const open = ctx.db.selectFrom('invitations').where('organization_id', '=', organizationId).where('expires_at', '>', timestamp(ctx))
  const { limit, offset } = rangeOf(paging)
  const rows = await open.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await open.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shown), meta: { ...paging, total } }
}

export async function createInvitation(
  ctx: Ctx,
  actor: Actor,
  organizationId: string,
  { email, role, workspaces, expires_in_hours }: InvitationInput,
): Promise<Invitation & { token: string }> {
  const token = `${tokenBegin}${randomBytes(32).toString('base64url')}`
  return transaction(ctx, async ({ db }) => {
    await requireMayInvite(db, actor, organizationId, role)
    await requireOwnWorkspaces(db, organizationId, workspaces)
    const row: Row = {
      id: uuidv7(ctx.now()),
      organization_id: organizationId,
      email,
      role,
      workspaces: JSON.stringify(workspaces),
      invited_by: actor.email,
      inviter_id: actor.user_id,
      token_hash: hashOf(token),
      created_at: timestamp(ctx),
      expires_at: new Date(ctx.now() + expires_in_hours * 3_600_000).toISOString(),
    }
    await db.insertInto('invitations').values(row).execute()
    await audit(ctx, db, { organizationId, object: objectOf(row), after: shown(row) })
    return { ...shown(row), token }
  })
}

export async function revokeInvitation(ctx: Ctx, organizationId: string, id: string): Promise<void> {
  await transaction(ctx, async ({ db }) => {
    const row = await db
      .deleteFrom('invitations')
      .where('id', '=', id)
      .where('organization_id', '=', organizationId)
      .returningAll()
      .executeTakeFirst()
    if (!row) throw new ApiError('NOT_FOUND', 'invitation not found')
    await audit(ctx, db, { organizationId, object: objectOf(row), before: shown(row) })
  })
}

/** Makes whoever holds the token of an invitation a member: the user who is signed in, or a new one. */
export async function acceptInvitation(ctx: Ctx, actor: Actor | undefined, input: InvitationAcceptance): Promise<Me> {
  if (actor?.credential.kind === 'api_token') throw new ApiError('FORBIDDEN', 'an API token cannot do this; sign in')
  await readOpen(ctx, ctx.db, input.token)
  const account = actor ? undefined : await newAccount(input)
  const accepted = await refusingDuplicate('email', 'a user with this e-mail address exists already: sign in to accept', () =>
    transaction(ctx, async ({ db }) => {
      const invitation = await readOpen(ctx, db, input.token)
      if (!(await mayStillInvite(db, invitation))) throw notOpen()
      await db.deleteFrom('invitations').where('id', '=', invitation.id).execute()
      const user = account ? await createAccount(ctx, db, invitation.email, account) : actor!
      if (user.email !== invitation.email) throw new ApiError('FORBIDDEN', 'this invitation is for another e-mail address')
      await join(ctx, db, invitation, user.user_id)
      await audit(ctx, db, {
        organizationId: invitation.organization_id,
        actor: { kind: 'user', id: user.user_id, name: user.email, token: null },
        object: objectOf(invitation),
        after: shown(invitation),
      })
      return user
    }),
  )
  const credential = { kind: 'session', id: '' } as const
  return meOf(ctx, actor ?? { ...accepted, credential, must_change_password: false })
}

async function newAccount({ name, password }: InvitationAcceptance): Promise<{ name: string; password_hash: string }> {
  if (name === undefined || password === undefined) {
    const message = 'is required for a new account; with an account, sign in'
    const missing = [...(name === undefined ? ['name'] : []), ...(password === undefined ? ['password'] : [])]
    throw invalid(missing.map((field) => ({ field, message, code: 'REQUIRED' as const })))
  }
  return { name, password_hash: await hashPassword(password) }
}

async function createAccount(ctx: Ctx, db: Db, email: string, { name, password_hash }: { name: string; password_hash: string }) {
  const now = timestamp(ctx)
  const id = uuidv7(ctx.now())
  await db
    .insertInto('users')
    .values({ id, email, name, password_hash, password_expires_at: null, created_at: now, updated_at: now })
    .execute()
  return { user_id: id, email }
}

// Somebody who is a member by now keeps a role that is higher, and gets one that is.
async function join(ctx: Ctx, db: Db, invitation: Row, user_id: string): Promise<void> {
  const created_at = timestamp(ctx)
  const { organization_id, role } = invitation
  const membership = { organization_id, user_id }
  const present = await db
    .selectFrom('organization_members')
    .select(['role', 'revision'])
    .where((eb) => eb.and(membership))
    .executeTakeFirst()
  if (!present)
    await db
      .insertInto('organization_members')
      .values({ ...membership, role, created_at })
      .execute()
  else if (!isOrganizationRole(present.role, role)) {
    const raised = { role, revision: present.revision + 1 }
    await db
      .updateTable('organization_members')
      .set(raised)
      .where((eb) => eb.and(membership))
      .execute()
  }
  const grants = JSON.parse(invitation.workspaces) as Invitation['workspaces']
  const there = await workspacesAmong(
    db,
    organization_id,
    grants.map((grant) => grant.workspace_id),
  )
  for (const { workspace_id, role: granted } of grants.filter((grant) => there.has(grant.workspace_id))) {
    const place = { workspace_id, user_id }
    const known = await db
      .selectFrom('workspace_members')
      .select(['role', 'revision'])
      .where((eb) => eb.and(place))
      .executeTakeFirst()
    if (!known)
      await db
        .insertInto('workspace_members')
        .values({ ...place, role: granted, created_at })
        .execute()
    else if (!isWorkspaceRole(known.role, granted)) {
      const raised = { role: granted, revision: known.revision + 1 }
      await db
        .updateTable('workspace_members')
        .set(raised)
        .where((eb) => eb.and(place))
        .execute()
    }
  }
}

async function readOpen(ctx: Ctx, db: Db, token: string): Promise<Row> {
  const row = await db
    .selectFrom('invitations')
    .selectAll()
    .where('token_hash', '=', hashOf(token))
    .where('expires_at', '>', timestamp(ctx))
    .executeTakeFirst()
  if (!row) throw notOpen()
  return row
}

function notOpen(): ApiError {
  return new ApiError('UNAUTHORIZED', 'the invitation is not valid or no longer so')
}

async function requireMayInvite(db: Db, actor: Actor, organizationId: string, role: OrganizationRole): Promise<void> {
  const mine = await organizationRole(db, actor, organizationId)
  if (!mine) throw new ApiError('NOT_FOUND', 'organization not found')
  requireGrantable(mine, role)
}

// Nobody comes back, or gives what they no longer have, by an invitation of their own from before.
async function mayStillInvite(db: Db, { organization_id, inviter_id, role }: Row): Promise<boolean> {
  const inviter = await db
    .selectFrom('organization_members')
    .select('role')
    .where('organization_id', '=', organization_id)
    .where('user_id', '=', inviter_id)
    .executeTakeFirst()
  return inviter !== undefined && isOrganizationRole(inviter.role, 'admin') && isOrganizationRole(inviter.role, role)
}

async function requireOwnWorkspaces(db: Db, organizationId: string, grants: InvitationInput['workspaces']): Promise<void> {
  const asked = grants.map((grant) => grant.workspace_id)
  const there = await workspacesAmong(db, organizationId, asked)
  const problems = asked.flatMap((id, index): Problem[] => {
    const field = `workspaces.${index}.workspace_id`
    if (!there.has(id)) return [{ field, message: 'is not a workspace of the organization', code: 'UNKNOWN_REFERENCE' }]
    return asked.indexOf(id) < index ? [{ field, message: 'is named twice', code: 'DUPLICATE' }] : []
  })
  if (problems.length > 0) throw invalid(problems)
}

async function workspacesAmong(db: Db, organizationId: string, ids: string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const rows = await db.selectFrom('workspaces').select('id').where('organization_id', '=', organizationId).where('id', 'in', ids).execute()
  return new Set(rows.map((row) => row.id))
}

function shown({ token_hash: _hash, inviter_id: _inviter, workspaces, ...row }: Row): Invitation {
  return { ...row, workspaces: JSON.parse(workspaces) as Invitation['workspaces'] }
}

function objectOf({ id, email }: Row) {
  return { kind: 'invitation', id, name: email }
}
