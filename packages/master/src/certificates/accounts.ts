import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { AcmeAccountPatch } from '@nxmesh/api/routes/acme-accounts'
import { type AcmeAccount, type AcmeAccountInput, acmeAccountInput } from '@nxmesh/model/acme-account'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Problem } from '@nxmesh/model/problem'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { AcmeAccountRow } from '../db/schema-certificates.ts'
import { transaction } from '../db/transaction.ts'
import type { Tagged } from '../etag.ts'
import { rangeOf } from '../page.ts'
import { patched } from '../patched.ts'
import { refusingDuplicate } from '../unique.ts'
import { newAccountRow, readAccountRow, shownAccount, taggedAccount } from './account-row.ts'

const taken = 'an ACME account with this name exists already in the workspace'

export async function listAccounts(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db.selectFrom('acme_accounts').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(shownAccount), meta: { ...paging, total } }
}

export async function getAccount(ctx: Ctx, id: string): Promise<Tagged<AcmeAccount>> {
  return taggedAccount(await readAccountRow(ctx.db, id))
}

export async function createAccount(ctx: Ctx, workspaceId: string, input: AcmeAccountInput): Promise<Tagged<AcmeAccount>> {
  requireSound(ctx, input)
  const { eab_hmac_key, ...said } = input
  const sealed_eab_key = eab_hmac_key === null ? null : ctx.secrets.seal(eab_hmac_key)
  const row = newAccountRow(ctx, workspaceId, { ...said, sealed_eab_key, built_in: null })
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        await db.insertInto('acme_accounts').values(row).execute()
        await audit(ctx, db, { workspaceId, object: objectOf(row), after: shownAccount(row) })
        return taggedAccount(row)
      },
      workspaceId,
    ),
  )
}

export async function updateAccount(
  ctx: Ctx,
  id: string,
  patch: AcmeAccountPatch,
  ifMatch: string | undefined,
): Promise<Tagged<AcmeAccount>> {
  const { workspace_id: workspaceId } = await readAccountRow(ctx.db, id)
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const before = await readAccountRow(db, id, ifMatch)
        const inputBefore = inputOf(ctx, before)
        const input = patched(acmeAccountInput, inputBefore, patch)
        if (isEqual(inputBefore, input)) return taggedAccount(before)
        requireSound(ctx, input)
        const { eab_hmac_key, ...said } = input
        const sealed_eab_key =
          eab_hmac_key === inputBefore.eab_hmac_key ? before.sealed_eab_key : eab_hmac_key && ctx.secrets.seal(eab_hmac_key)
        const after = { ...before, ...said, sealed_eab_key, updated_at: timestamp(ctx), revision: before.revision + 1 }
        await db.updateTable('acme_accounts').set(after).where('id', '=', id).execute()
        await audit(ctx, db, { workspaceId, object: objectOf(after), before: shownAccount(before), after: shownAccount(after) })
        return taggedAccount(after)
      },
      workspaceId,
    ),
  )
}

export async function deleteAccount(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  const { workspace_id: workspaceId } = await readAccountRow(ctx.db, id)
  await transaction(
    ctx,
    async ({ db }) => {
      const row = await readAccountRow(db, id, ifMatch)
      const users = await db.selectFrom('certificates').select(['id', 'name']).where('acme_account_id', '=', id).limit(100).execute()
      if (users.length > 0) {
        const details = users.map(
          (user): Problem => ({ field: 'id', message: `is used by certificate "${user.name}" (${user.id})`, code: 'IN_USE' }),
        )
        throw new ApiError('CONFLICT', 'the ACME account is in use', details)
      }
      await db.deleteFrom('acme_accounts').where('id', '=', id).execute()
      await audit(ctx, db, { workspaceId, object: objectOf(row), before: shownAccount(row) })
    },
    workspaceId,
  )
}

export function objectOf({ id, name }: Pick<AcmeAccountRow, 'id' | 'name'>) {
  return { kind: 'acme-account', id, name }
}

function inputOf({ secrets }: Ctx, row: AcmeAccountRow): AcmeAccountInput {
  const { name, directory_url, email, eab_kid, ca_pem, sealed_eab_key } = row
  return { name, directory_url, email, eab_kid, eab_hmac_key: sealed_eab_key && secrets.open(sealed_eab_key), ca_pem }
}

function requireSound({ outbound }: Ctx, input: AcmeAccountInput): void {
  const problems: Problem[] = []
  if ((input.eab_kid === null) !== (input.eab_hmac_key === null)) {
    const field = input.eab_kid === null ? 'eab_kid' : 'eab_hmac_key'
    problems.push({ field, message: 'is required: an external account binding has both', code: 'REQUIRED' })
  }
  if (outbound.isForbidden(new URL(input.directory_url))) {
    const message = 'is no public address; the master’s --outbound-networks allows others'
    problems.push({ field: 'directory_url', message, code: 'NOT_ALLOWED' })
  }
  if (problems.length > 0) throw invalid(problems)
}
