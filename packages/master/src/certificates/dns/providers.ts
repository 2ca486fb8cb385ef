import { ApiError, invalid } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { DnsProviderPatch } from '@nxmesh/api/routes/dns-providers'
import { type DnsProviderInput, dnsProviderInputs, type DnsProvider as Shown } from '@nxmesh/model/dns-provider'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Problem } from '@nxmesh/model/problem'
import type { Kysely } from 'kysely'
import { audit } from '../../audit.ts'
import { type Ctx, timestamp } from '../../ctx.ts'
import type { Database } from '../../db/schema.ts'
import type { DnsProviderRow } from '../../db/schema-dns.ts'
import { transaction } from '../../db/transaction.ts'
import { requireMatch, type Tagged } from '../../etag.ts'
import { rangeOf } from '../../page.ts'
import { patched } from '../../patched.ts'
import { refusingDuplicate } from '../../unique.ts'
import { uuidv7 } from '../../uuid.ts'
import { type DnsProvider, openDnsProvider } from './provider.ts'
import { openTarget, shownProvider, targetOf } from './shown-provider.ts'
import { movedPassword, targetProblems } from './sound-target.ts'

const taken = 'a DNS provider with this name exists already in the workspace'

export async function listProviders(ctx: Ctx, workspaceId: string, paging: Paging) {
  const all = ctx.db.selectFrom('dns_providers').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map((row) => shownProvider(row, openTarget(ctx, row))), meta: { ...paging, total } }
}

export async function getProvider(ctx: Ctx, id: string): Promise<Tagged<Shown>> {
  return tagged(ctx, await readProvider(ctx.db, id))
}

export async function createProvider(ctx: Ctx, workspaceId: string, input: DnsProviderInput): Promise<Tagged<Shown>> {
  requireNone(targetProblems(targetOf(input), ctx.outbound))
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const now = timestamp(ctx)
        const target = targetOf(input)
        const row: DnsProviderRow = {
          id: uuidv7(ctx.now()),
          workspace_id: workspaceId,
          name: input.name,
          kind: input.kind,
          target: ctx.secrets.seal(JSON.stringify(target)),
          created_at: now,
          updated_at: now,
          revision: 1,
        }
        await db.insertInto('dns_providers').values(row).execute()
        await audit(ctx, db, { workspaceId, object: objectOf(row), after: shownProvider(row, target) })
        return tagged(ctx, row)
      },
      workspaceId,
    ),
  )
}

export async function updateProvider(ctx: Ctx, id: string, patch: DnsProviderPatch, ifMatch: string | undefined): Promise<Tagged<Shown>> {
  const { workspace_id: workspaceId } = await readProvider(ctx.db, id)
  return refusingDuplicate('name', taken, () =>
    transaction(
      ctx,
      async ({ db }) => {
        const before = await readProvider(db, id)
        requireMatch(ifMatch, before.revision)
        const present = openTarget(ctx, before)
        const inputBefore: DnsProviderInput = { ...present, name: before.name }
        const input: DnsProviderInput = patched(dnsProviderInputs[before.kind], inputBefore, patch)
        if (isEqual(inputBefore, input)) return tagged(ctx, before)
        const target = targetOf(input)
        requireNone([...targetProblems(target, ctx.outbound), ...movedPassword(present, target, patch.password !== undefined)])
        const after: DnsProviderRow = {
          ...before,
          name: input.name,
          ...(isEqual(present, target) ? {} : { target: ctx.secrets.seal(JSON.stringify(target)) }),
          updated_at: timestamp(ctx),
          revision: before.revision + 1,
        }
        await db.updateTable('dns_providers').set(after).where('id', '=', id).execute()
        const deed = { before: shownProvider(before, present), after: shownProvider(after, target) }
        await audit(ctx, db, { workspaceId, object: objectOf(after), ...deed })
        return tagged(ctx, after)
      },
      workspaceId,
    ),
  )
}

export async function deleteProvider(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  const { workspace_id: workspaceId } = await readProvider(ctx.db, id)
  await transaction(
    ctx,
    async ({ db }) => {
      const before = await readProvider(db, id)
      requireMatch(ifMatch, before.revision)
      await requireUnused(db, id)
      await audit(ctx, db, { workspaceId, object: objectOf(before), before: shownProvider(before, openTarget(ctx, before)) })
      await db.deleteFrom('dns_providers').where('id', '=', id).execute()
    },
    workspaceId,
  )
}

async function requireUnused(db: Kysely<Database>, id: string): Promise<void> {
  const users = await db.selectFrom('certificates').select(['id', 'name']).where('dns_provider_id', '=', id).limit(100).execute()
  if (users.length === 0) return
  const details = users.map(
    (user): Problem => ({ field: 'id', message: `is used by certificate "${user.name}" (${user.id})`, code: 'IN_USE' }),
  )
  throw new ApiError('CONFLICT', 'the DNS provider is in use', details)
}

/** Throws VALIDATION_ERROR where a workspace has no such provider. */
export async function requireProvider(db: Kysely<Database>, workspaceId: string, id: string | null): Promise<void> {
  const found =
    id === null ||
    (await db.selectFrom('dns_providers').select('id').where('id', '=', id).where('workspace_id', '=', workspaceId).executeTakeFirst())
  if (!found) throw invalid([{ field: 'dns_provider_id', message: 'no such DNS provider in this workspace', code: 'UNKNOWN_REFERENCE' }])
}

/** A provider by its id, ready to be used; undefined where there is none. */
export async function openProviderOf(ctx: Ctx, id: string): Promise<DnsProvider | undefined> {
  const row = await ctx.db.selectFrom('dns_providers').selectAll().where('id', '=', id).executeTakeFirst()
  return row && openDnsProvider(openTarget(ctx, row), ctx)
}

/** A provider that is there; throws NOT_FOUND. */
export async function readProvider(db: Kysely<Database>, id: string): Promise<DnsProviderRow> {
  const row = await db.selectFrom('dns_providers').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'DNS provider not found')
  return row
}

function requireNone(problems: Problem[]): void {
  if (problems.length > 0) throw invalid(problems)
}

function tagged(ctx: Ctx, row: DnsProviderRow): Tagged<Shown> {
  return { body: shownProvider(row, openTarget(ctx, row)), revision: row.revision }
}

export function objectOf({ id, name }: Pick<DnsProviderRow, 'id' | 'name'>) {
  return { kind: 'dns-provider', id, name }
}
