import { ApiError } from '@nxmesh/api/errors'
import type { AcmeAccount } from '@nxmesh/model/acme-account'
import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import { prepared } from '../db/prepared.ts'
import type { Database } from '../db/schema.ts'
import type { AcmeAccountRow } from '../db/schema-certificates.ts'
import { requireMatch, type Tagged } from '../etag.ts'
import { uuidv7 } from '../uuid.ts'
import { newAccountKey, thumbprintOf } from './acme/account-key.ts'
import type { BuiltIn } from './servers.ts'

type Db = Kysely<Database>
type Said = Pick<AcmeAccountRow, 'name' | 'directory_url' | 'ca_pem' | 'email' | 'eab_kid' | 'sealed_eab_key' | 'built_in'>

const readOne = prepared((db, id: string) => db.selectFrom('acme_accounts').selectAll().where('id', '=', id))

/** The row of an account; throws NOT_FOUND, or PRECONDITION_FAILED when If-Match names another revision. */
export async function readAccountRow(db: Db, id: string, ifMatch?: string): Promise<AcmeAccountRow> {
  const [row] = await readOne(db, id)
  if (!row) throw new ApiError('NOT_FOUND', 'ACME account not found')
  requireMatch(ifMatch, row.revision)
  return row
}

/** An account with a key of its own that no server knows yet. */
export function newAccountRow(ctx: Pick<Ctx, 'now' | 'secrets'>, workspaceId: string, said: Said): AcmeAccountRow {
  const [key, now] = [newAccountKey(), timestamp(ctx)]
  return {
    id: uuidv7(ctx.now()),
    workspace_id: workspaceId,
    ...said,
    sealed_key: ctx.secrets.seal(key),
    thumbprint: thumbprintOf(key),
    sealed_next_key: null,
    url: null,
    created_at: now,
    updated_at: now,
    revision: 1,
  }
}

/** The account of a workspace that certificates of Let's Encrypt are ordered by, made on first use; inside a transaction. */
export async function builtInAccount(ctx: Pick<Ctx, 'now' | 'secrets' | 'acme'>, db: Db, workspaceId: string, builtIn: BuiltIn) {
  const all = db.selectFrom('acme_accounts').selectAll().where('workspace_id', '=', workspaceId)
  const found = await all.where('built_in', '=', builtIn).executeTakeFirst()
  if (found) return found
  const taken = await all.where('name', '=', builtIn).executeTakeFirst()
  const row = newAccountRow(ctx, workspaceId, {
    name: taken ? `${builtIn} (built in)` : builtIn,
    directory_url: ctx.acme.directoryOf(builtIn),
    ca_pem: null,
    email: null,
    eab_kid: null,
    sealed_eab_key: null,
    built_in: builtIn,
  })
  await db.insertInto('acme_accounts').values(row).execute()
  return row
}

/** An account as the API shows it. */
export function shownAccount(row: AcmeAccountRow): AcmeAccount {
  const { id, workspace_id, name, directory_url, ca_pem, email, eab_kid, url, thumbprint, created_at, updated_at } = row
  const status = row.sealed_next_key !== null ? 'rotating' : url === null ? 'new' : 'registered'
  return { id, workspace_id, name, directory_url, email, eab_kid, ca_pem, status, account_url: url, thumbprint, created_at, updated_at }
}

export function taggedAccount(row: AcmeAccountRow): Tagged<AcmeAccount> {
  return { body: shownAccount(row), revision: row.revision, variant: row.url === null ? 'new' : 'registered' }
}
