import { randomBytes } from 'node:crypto'
import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { UserPatch } from '@nxmesh/api/routes/users'
import { isOrganizationRole } from '@nxmesh/model/roles'
import { type NewUser, type PasswordReset, type User, userChanges } from '@nxmesh/model/user'
import type { Kysely, Selectable } from 'kysely'
import { type Actor, organizationRole, visibleUsers } from './access.ts'
import { type Ctx, timestamp } from './ctx.ts'
import type { Database } from './db/schema.ts'
import { transaction } from './db/transaction.ts'
import { requireMatch, type Tagged } from './etag.ts'
import { requireGrantable, requireOwnerLeft } from './organization-members.ts'
import { rangeOf } from './page.ts'
import { hashPassword } from './passwords.ts'
import { patched } from './patched.ts'
import { refusingDuplicate } from './unique.ts'
import { auditUser } from './user-audit.ts'
import { endSessions } from './user-sessions.ts'
import { uuidv7 } from './uuid.ts'

type Row = Selectable<Database['users']>

const taken = 'a user with this e-mail address exists already'
const oneTimeLifetime = 72 * 3_600_000

export async function listUsers(ctx: Ctx, actor: Actor, paging: Paging) {
  const visible = visibleUsers(ctx.db, actor)
  const { limit, offset } = rangeOf(paging)
  const rows = await visible.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await visible.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row) => shown(row).body), meta: { ...paging, total } }
}

/** Creates a user in an organization that the actor administers, with a password that the user has to replace. */
export async function createUser(ctx: Ctx, actor: Actor, input: NewUser): Promise<User & PasswordReset> {
  await requireMayCreate(ctx.db, actor, input)
  const { password_hash, ...once } = await oneTimePassword(ctx)
  const now = timestamp(ctx)
  const password_expires_at = once.one_time_password_expires_at
  const { email, name, organization_id, role } = input
  const row = { id: uuidv7(ctx.now()), email, name, password_hash, password_expires_at, revision: 1, created_at: now, updated_at: now }
  await refusingDuplicate('email', taken, () =>
    transaction(ctx, async ({ db }) => {
      await requireMayCreate(db, actor, input)
      await db.insertInto('users').values(row).execute()
      await db.insertInto('organization_members').values({ organization_id, user_id: row.id, role, created_at: now, revision: 1 }).execute()
      await auditUser(ctx, db, row, { after: { ...shown(row).body, role } })
    }),
  )
  return { ...shown(row).body, ...once }
}

async function requireMayCreate(db: Kysely<Database>, actor: Actor, { organization_id, role }: NewUser): Promise<void> {
  const mine = await organizationRole(db, actor, organization_id)
  if (!mine) {
    const message = 'is not an organization that you belong to'
    throw invalid([{ field: 'organization_id', message, code: 'UNKNOWN_REFERENCE' }])
  }
  if (!isOrganizationRole(mine, 'admin')) throw new ApiError('FORBIDDEN', 'this needs the role admin in the organization')
  requireGrantable(mine, role)
}

export async function getUser(ctx: Pick<Ctx, 'db'>, id: string): Promise<Tagged<User>> {
  return shown(await readRow(ctx.db, id))
}

export async function updateUser(ctx: Ctx, id: string, patch: UserPatch, ifMatch: string | undefined): Promise<Tagged<User>> {
  return refusingDuplicate('email', taken, () =>
    transaction(ctx, async ({ db }) => {
      const before = await readRow(db, id)
      requireMatch(ifMatch, before.revision)
      const input = patched(userChanges, { email: before.email, name: before.name }, patch)
      if (input.email === before.email && input.name === before.name) return shown(before)
      const after = { ...before, ...input, updated_at: timestamp(ctx), revision: before.revision + 1 }
      await db
        .updateTable('users')
        .set({ ...input, updated_at: after.updated_at, revision: after.revision })
        .where('id', '=', id)
        .execute()
      await auditUser(ctx, db, after, { before: shown(before).body, after: shown(after).body })
      return shown(after)
    }),
  )
}

/** Deletes a user with all that is theirs alone. An organization keeps at least one owner. */
export async function deleteUser(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  await transaction(ctx, async ({ db }) => {
    const before = await readRow(db, id)
    requireMatch(ifMatch, before.revision)
    const owned = await db
      .selectFrom('organization_members')
      .select('organization_id')
      .where('user_id', '=', id)
      .where('role', '=', 'owner')
      .execute()
    for (const { organization_id } of owned) await requireOwnerLeft(db, organization_id, id)
    await auditUser(ctx, db, before, { before: shown(before).body })
    await db.deleteFrom('users').where('id', '=', id).execute()
  })
}

/**
 * Gives a user a password to sign in with once more, and ends their sessions and API tokens: whoever had the old one has none of
 * them. One's own is changed with the present one.
 */
export async function resetPassword(ctx: Ctx, actor: Actor, id: string): Promise<PasswordReset> {
  if (id === actor.user_id) throw new ApiError('FORBIDDEN', 'change your own password with POST /v1/auth/password')
  const { password_hash, ...once } = await oneTimePassword(ctx)
  await transaction(ctx, async ({ db }) => {
    const user = await readRow(db, id)
    await db
      .updateTable('users')
      .set({ password_hash, password_expires_at: once.one_time_password_expires_at, updated_at: timestamp(ctx) })
      .where('id', '=', id)
      .execute()
    await endSessions(db, id)
    await ctx.signIns.forgive(db, user.email)
    await db.deleteFrom('api_tokens').where('user_id', '=', id).execute()
    await auditUser(ctx, db, user, {})
  })
  return once
}

async function oneTimePassword(ctx: Pick<Ctx, 'now'>) {
  const one_time_password = randomBytes(15).toString('base64url')
  return {
    password_hash: await hashPassword(one_time_password),
    one_time_password,
    one_time_password_expires_at: new Date(ctx.now() + oneTimeLifetime).toISOString(),
  }
}

async function readRow(db: Kysely<Database>, id: string): Promise<Row> {
  const row = await db.selectFrom('users').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'user not found')
  return row
}

function shown({ id, email, name, created_at, updated_at, revision }: Row): Tagged<User> {
  return { body: { id, email, name, created_at, updated_at }, revision }
}
