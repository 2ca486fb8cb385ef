import { ApiError } from '@nxmesh/api/errors'
import type { AlertQuery } from '@nxmesh/api/routes/alerts'
import type { Alert } from '@nxmesh/model/alert'
import type { Kysely } from 'kysely'
import type { Actor } from '../access.ts'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { AlertRow } from '../db/schema-events.ts'
import { transaction } from '../db/transaction.ts'
import { tell } from '../events/outbox.ts'
import { rangeOf } from '../page.ts'
import { agentAlertOf, resolvedEvent } from './row.ts'

const keptFor = 90 * 24 * 3_600_000

export async function listAlerts({ db }: Pick<Ctx, 'db'>, workspaceId: string, query: AlertQuery) {
  const { state, severity, agent_id, rule_id, ...paging } = query
  let all = db.selectFrom('alerts').where('workspace_id', '=', workspaceId)
  if (state === 'resolved') all = all.where('resolved_at', 'is not', null)
  if (state === 'open') all = all.where('resolved_at', 'is', null).where('acknowledged_at', 'is', null)
  if (state === 'acknowledged') all = all.where('resolved_at', 'is', null).where('acknowledged_at', 'is not', null)
  if (severity !== undefined) all = all.where('severity', '=', severity)
  if (agent_id !== undefined) all = all.where('agent_id', '=', agent_id)
  if (rule_id !== undefined) all = all.where('rule_id', '=', rule_id)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('opened_at', 'desc').orderBy('id', 'desc').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(alertOf), meta: { ...paging, total } }
}

export async function getAlert({ db }: Pick<Ctx, 'db'>, id: string): Promise<Alert> {
  return alertOf(await readRow(db, id))
}

/** Says that somebody looks after an alert that is open; whoever said so first stays. */
export async function acknowledgeAlert(ctx: Ctx, actor: Actor, id: string): Promise<Alert> {
  return transaction(ctx, async (tx) => {
    const row = await readRow(tx.db, id)
    if (row.resolved_at !== null) throw new ApiError('CONFLICT', 'the alert is resolved already')
    if (row.acknowledged_at !== null) return alertOf(row)
    const change = { acknowledged_at: timestamp(ctx), acknowledged_by: actor.email }
    await tx.db.updateTable('alerts').set(change).where('id', '=', id).execute()
    const after = { ...row, ...change }
    const { agent_id, severity, message } = row
    tell(ctx, tx, row.workspace_id, 'alert.acknowledged', {
      agent_id,
      alert_id: agentAlertOf(row) ?? id,
      severity,
      message,
      acknowledged_by: actor.email,
    })
    await auditChange(ctx, tx.db, row, after)
    return alertOf(after)
  })
}

/** Ends an alert by hand. It stays active while its reason holds, so that it does not open again at once. */
export async function resolveAlert(ctx: Ctx, actor: Actor, id: string): Promise<Alert> {
  return transaction(ctx, async (tx) => {
    const row = await readRow(tx.db, id)
    if (row.resolved_at !== null) return alertOf(row)
    const change = { resolved_at: timestamp(ctx), resolved_by: actor.email }
    await tx.db.updateTable('alerts').set(change).where('id', '=', id).execute()
    tell(ctx, tx, row.workspace_id, 'alert.resolved', resolvedEvent(row))
    await auditChange(ctx, tx.db, row, { ...row, ...change })
    return alertOf({ ...row, ...change })
  })
}

/** Forgets alerts that were resolved three months ago. */
export async function deleteOldAlerts({ db, now }: Pick<Ctx, 'db' | 'now'>): Promise<number> {
  const { numDeletedRows } = await db
    .deleteFrom('alerts')
    .where('active', '=', 0)
    .where('resolved_at', '<', new Date(now() - keptFor).toISOString())
    .executeTakeFirstOrThrow()
  return Number(numDeletedRows)
}

function alertOf(row: AlertRow): Alert {
  const { active: _active, source: _source, ...shown } = row
  const state = row.resolved_at !== null ? 'resolved' : row.acknowledged_at !== null ? 'acknowledged' : 'open'
  return { ...shown, state, agent_alert_id: agentAlertOf(row) }
}

async function readRow(db: Kysely<Database>, id: string): Promise<AlertRow> {
  const row = await db.selectFrom('alerts').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'alert not found')
  return row
}

function auditChange(ctx: Ctx, db: Kysely<Database>, before: AlertRow, after: AlertRow): Promise<void> {
  const object = { kind: 'alert', id: before.id, name: before.name }
  return audit(ctx, db, { workspaceId: before.workspace_id, object, before: alertOf(before), after: alertOf(after) })
}
