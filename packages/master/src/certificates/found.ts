import { type Ctx, timestamp } from '../ctx.ts'
import type { FoundCertificateRow } from '../db/schema-certificates.ts'
import { begin } from '../db/transaction.ts'
import { uuidv7 } from '../uuid.ts'

/** A certificate file of a host, as its agent tells of it. */
export type FoundCertificate = Pick<
  FoundCertificateRow,
  'path' | 'subject' | 'issuer' | 'serial' | 'fingerprint' | 'key' | 'not_before' | 'not_after' | 'error'
> & { server_names: string[]; names: string[] }

/** Where a file stands in a list by end that says no end. */
const never = '9999-12-31T23:59:59.999Z'
// Well below the number of parameters that a statement of either engine may have.
const perStatement = 50

/** Puts what an agent has found on its host in the place of what it had found before. */
export async function replaceFound(ctx: Pick<Ctx, 'db' | 'now'>, agentId: string, found: FoundCertificate[]): Promise<void> {
  await begin(ctx.db, async ({ db }) => {
    const agent = await db.selectFrom('agents').select('workspace_id').where('id', '=', agentId).executeTakeFirst()
    if (!agent) return
    await db.deleteFrom('found_certificates').where('agent_id', '=', agentId).execute()
    const rows = found.map((one): FoundCertificateRow => {
      const lists = { server_names: JSON.stringify(one.server_names), names: JSON.stringify(one.names) }
      const where = { id: uuidv7(ctx.now()), workspace_id: agent.workspace_id, agent_id: agentId }
      return { ...one, ...lists, ...where, ends_at: one.not_after ?? never, seen_at: timestamp(ctx) }
    })
    for (let from = 0; from < rows.length; from += perStatement) {
      await db
        .insertInto('found_certificates')
        .values(rows.slice(from, from + perStatement))
        .execute()
    }
  })
}
