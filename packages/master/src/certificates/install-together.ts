import { setTimeout as delay } from 'node:timers/promises'
import { audit } from '../audit.ts'
import { changeConfig } from '../change.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { CertificateOrderRow } from '../db/schema-certificates.ts'
import type { Tx } from '../db/transaction.ts'
import { itself, put } from './install.ts'
import type { Material } from './material.ts'

/** Installs what an order has got, and ends the order: both or neither. */
export type InstallOrdered = (order: CertificateOrderRow, material: Material) => Promise<void>

interface Got {
  order: CertificateOrderRow
  material: Material
}

const gathering = 250

/**
 * Installs what is got within a moment in one version of its workspace: a fleet whose certificates are renewed together is told, and its nginx
 * reloaded, for many of them at once.
 */
export function installTogether(ctx: Ctx): InstallOrdered {
  const gathered = new Map<string, { all: Got[]; installed: Promise<void> }>()
  return (order, material) => {
    const { workspace_id } = order
    const known = gathered.get(workspace_id)
    const all = known?.all ?? []
    all.push({ order, material })
    if (known) return known.installed
    const installed = delay(gathering).then(() => {
      gathered.delete(workspace_id)
      return installAll(ctx, workspace_id, all)
    })
    gathered.set(workspace_id, { all, installed })
    return installed
  }
}

async function installAll(ctx: Ctx, workspaceId: string, all: Got[]): Promise<void> {
  await changeConfig(ctx, itself, workspaceId, async (tx) => {
    const done: Awaited<ReturnType<typeof put>>[] = []
    for (const { order, material } of all) if (await endOrder(ctx, tx, order)) done.push(await put(ctx, tx, order.certificate_id, material))
    const [first, ...others] = done
    if (!first) return { result: undefined, changes: [], summary: '' }
    for (const { deed } of others) await audit(ctx, tx.db, { workspaceId, ...deed })
    const summary = others.length === 0 ? first.summary : `issued ${done.length} certificates`
    return { result: undefined, changes: done.flatMap(({ changes }) => changes), summary, deed: first.deed }
  })
}

async function endOrder(ctx: Ctx, { db }: Tx, { id, leased_by, attempt }: CertificateOrderRow): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('certificate_orders')
    .set({ outcome: 'issued', ended_at: timestamp(ctx), next_at: null, leased_by: null, step: 'installation' })
    .where('id', '=', id)
    .where('leased_by', '=', leased_by)
    .where('attempt', '=', attempt)
    .where('ended_at', 'is', null)
    .executeTakeFirst()
  return numUpdatedRows === 1n
}
