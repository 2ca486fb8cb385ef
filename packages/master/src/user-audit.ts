import type { Kysely } from 'kysely'
import { audit, type Deed } from './audit.ts'
import type { Ctx } from './ctx.ts'
import type { Database } from './db/schema.ts'

/**
 * Appends what was done to a user to the audit log of each organization that the user belongs to; without any it is on record
 * all the same, for whoever reads the database.
 */
export async function auditUser(
  ctx: Pick<Ctx, 'now' | 'origin'>,
  db: Kysely<Database>,
  user: { id: string; email: string },
  deed: Pick<Deed, 'before' | 'after' | 'action' | 'actor'>,
): Promise<void> {
  const object = { kind: 'user', id: user.id, name: user.email }
  const memberships = await db.selectFrom('organization_members').select('organization_id').where('user_id', '=', user.id).execute()
  const organizations = memberships.length === 0 ? [undefined] : memberships.map((membership) => membership.organization_id)
  for (const organizationId of organizations) await audit(ctx, db, { ...deed, organizationId, object })
}
