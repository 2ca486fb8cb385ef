import { setTimeout as delay } from 'node:timers/promises'
import { type Ctx, timestamp } from '../ctx.ts'
import type { AcmeAccountRow, CertificateOrderRow, CertificateRow } from '../db/schema-certificates.ts'
import { begin } from '../db/transaction.ts'
import { tell } from '../events/outbox.ts'
import type { AcmeOrder } from './acme/client.ts'
import { removeRecords } from './challenges.ts'
import type { InstallOrdered } from './install-together.ts'
import type { Next, Reason, Work } from './order-step.ts'
import { orderSteps } from './order-steps.ts'
import { saveOrder } from './orders.ts'
import { failureChanges } from './row.ts'
import type { OrderAuthorization } from './shown.ts'

// A shorter wait is waited for here, a longer one by the database.
const longestHeld = 10_000
const longestLife = 24 * 3_600_000

/** Brings an order that this master has taken as far as it goes: to its end, or to where it has to wait. */
export async function runOrder(ctx: Ctx, claimed: CertificateOrderRow, install: InstallOrdered, signal: AbortSignal): Promise<void> {
  let order: CertificateOrderRow | undefined =
    claimed.begun_at === null ? await saveOrder(ctx, claimed, { begun_at: timestamp(ctx) }) : claimed
  let seen: AcmeOrder | undefined
  while (order) {
    if (signal.aborted) {
      await saveOrder(ctx, order, { leased_by: null, next_at: timestamp(ctx) })
      return
    }
    const opened = await open(ctx, order)
    if (!opened) return
    const work = { ...opened, install, seen }
    const next = isTooOld(ctx, order) ? tooOld(order) : await orderSteps[order.step](work)
    order = await follow(work, next, signal)
    seen = next.kind === 'go' ? next.seen : undefined
  }
}

type Opened = Omit<Work, 'install' | 'seen'>

async function open(ctx: Ctx, order: CertificateOrderRow): Promise<Opened | undefined> {
  const { db } = ctx
  const certificate = await db.selectFrom('certificates').selectAll().where('id', '=', order.certificate_id).executeTakeFirst()
  const account = await db.selectFrom('acme_accounts').selectAll().where('id', '=', order.acme_account_id!).executeTakeFirst()
  // Deleted meanwhile, and the order with it.
  if (!certificate || !account) return undefined
  return workOn(ctx, order, certificate, account)
}

function workOn(ctx: Ctx, order: CertificateOrderRow, certificate: CertificateRow, account: AcmeAccountRow): Opened {
  return {
    ctx,
    order,
    certificate,
    account,
    client: ctx.acme.clientOf(account),
    credentials: { url: account.url ?? '', keyPem: ctx.secrets.open(account.sealed_key) },
    authorizations: JSON.parse(order.authorizations) as OrderAuthorization[],
    async keep(authorizations) {
      return (await saveOrder(ctx, order, { authorizations: JSON.stringify(authorizations) })) !== undefined
    },
  }
}

async function follow(work: Work, next: Next, signal: AbortSignal): Promise<CertificateOrderRow | undefined> {
  const { ctx, order } = work
  switch (next.kind) {
    case 'go':
      return saveOrder(ctx, order, { ...next.changes, step: next.step, begun_at: timestamp(ctx), error: null })
    case 'wait': {
      const changes = { ...next.changes, error: next.reason ? JSON.stringify({ ...next.reason, at: timestamp(ctx) }) : null }
      if (next.ms > longestHeld) {
        const next_at = new Date(ctx.now() + next.ms).toISOString()
        await saveOrder(ctx, order, { ...changes, next_at, leased_by: null, leased_until: null })
        return undefined
      }
      const kept = await saveOrder(ctx, order, changes)
      await delay(next.ms, undefined, { signal }).catch(() => undefined)
      return kept
    }
    case 'fail':
      await removeRecords(work)
      await fail(ctx, order, next.reason, next.retryAt ?? null)
      return undefined
    case 'done':
      return undefined
    default:
      return next satisfies never
  }
}

async function fail(ctx: Ctx, order: CertificateOrderRow, reason: Reason, retryAt: number | null): Promise<void> {
  await begin(ctx.db, async (tx) => {
    const ended = await saveOrder({ db: tx.db }, order, {
      outcome: 'failed',
      error: JSON.stringify({ ...reason, at: timestamp(ctx) }),
      ended_at: timestamp(ctx),
      next_at: null,
      leased_by: null,
      leased_until: null,
    })
    const row = ended && (await tx.db.selectFrom('certificates').selectAll().where('id', '=', order.certificate_id).executeTakeFirst())
    if (!row) return
    const changes = failureChanges(ctx, row, reason, retryAt)
    await tx.db.updateTable('certificates').set(changes).where('id', '=', row.id).execute()
    const { id, name, workspace_id } = row
    const told = { certificate_id: id, name, error: reason.message, fix: reason.fix, retries_at: changes.order_due_at }
    tell(ctx, tx, workspace_id, 'certificate.failed', told)
    ctx.log.warn({ certificate: id, name, code: reason.code, reason: reason.message }, 'certificate could not be got')
  })
}

function isTooOld(ctx: Ctx, { created_at }: CertificateOrderRow): boolean {
  return ctx.now() - Date.parse(created_at) > longestLife
}

function tooOld({ error }: CertificateOrderRow): Next {
  const last = error === null ? '' : ` Last: ${(JSON.parse(error) as Reason).message}`
  return {
    kind: 'fail',
    reason: { code: 'timeout', message: `The order did not end within a day.${last}`, fix: 'It is tried again by itself.' },
  }
}
