import { randomBytes } from 'node:crypto'
import { insertDefaultRules } from './alerts/default-rules.ts'
import { type Ctx, timestamp } from './ctx.ts'
import { transaction } from './db/transaction.ts'
import { hashPassword } from './passwords.ts'
import { uuidv7 } from './uuid.ts'
import { newWorkspace } from './workspaces.ts'

/**
 * Makes the first administrator with an organization and a workspace where there is no user yet. Returns the password when
 * it was made for this installation: it is kept nowhere else.
 */
export async function firstStart(
  ctx: Pick<Ctx, 'db' | 'now'>,
  admin: { email: string; password: string | undefined },
): Promise<{ email: string; password: string } | undefined> {
  const password = admin.password ?? randomBytes(15).toString('base64url')
  const someone = await ctx.db.selectFrom('users').select('id').limit(1).executeTakeFirst()
  if (someone) return undefined
  const password_hash = await hashPassword(password)
  const now = timestamp(ctx)
  const user = {
    id: uuidv7(ctx.now()),
    name: 'Administrator',
    email: admin.email.trim().toLowerCase(),
    password_hash,
    password_expires_at: null,
    created_at: now,
    updated_at: now,
  }
  const organization = { id: uuidv7(ctx.now()), name: 'Default', slug: 'default', created_at: now, updated_at: now }
  await transaction(ctx, async ({ db }) => {
    await db.insertInto('users').values(user).execute()
    await db.insertInto('organizations').values(organization).execute()
    await db
      .insertInto('organization_members')
      .values({ organization_id: organization.id, user_id: user.id, role: 'owner', created_at: now })
      .execute()
    const workspace = newWorkspace(ctx, organization.id, { name: 'Default', slug: 'default', lua_allowed: false })
    await db.insertInto('workspaces').values(workspace).execute()
    await insertDefaultRules(ctx, db, workspace.id)
  })
  return admin.password === undefined ? { email: user.email, password } : undefined
}
