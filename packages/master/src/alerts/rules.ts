import { ApiError } from '@nxmesh/api/errors'
import type { Paging } from '@nxmesh/api/route'
import type { AlertRulePatch } from '@nxmesh/api/routes/alert-rules'
import { type AlertRule, type AlertRuleInput, alertRuleInput } from '@nxmesh/model/alert-rule'
import { isEqual } from '@nxmesh/model/field-changes'
import type { Kysely } from 'kysely'
import { audit } from '../audit.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import type { AlertRuleRow } from '../db/schema-events.ts'
import { transaction } from '../db/transaction.ts'
import { requireMatch, type Tagged } from '../etag.ts'
import { rangeOf } from '../page.ts'
import { patched } from '../patched.ts'
import { refusingDuplicate } from '../unique.ts'
import { uuidv7 } from '../uuid.ts'
import { stopAllWaiting } from './waits.ts'

const taken = 'an alert rule with this name exists already in the workspace'
const most = 500

export async function listAlertRules({ db }: Pick<Ctx, 'db'>, workspaceId: string, paging: Paging) {
  const all = db.selectFrom('alert_rules').where('workspace_id', '=', workspaceId)
  const { limit, offset } = rangeOf(paging)
  const rows = await all.selectAll().orderBy('created_at').orderBy('id').limit(limit).offset(offset).execute()
  const { total } = await all.select((eb) => eb.fn.countAll<number>().as('total')).executeTakeFirstOrThrow()
  return { data: rows.map(ruleOf), meta: { ...paging, total } }
}

export async function createAlertRule(ctx: Ctx, workspaceId: string, input: AlertRuleInput): Promise<Tagged<AlertRule>> {
  const row = ruleRow(ctx, workspaceId, input, timestamp(ctx))
  return refusingDuplicate('name', taken, () =>
    transaction(ctx, async ({ db, onCommit }) => {
      const { total } = await db
        .selectFrom('alert_rules')
        .where('workspace_id', '=', workspaceId)
        .select((eb) => eb.fn.countAll<number>().as('total'))
        .executeTakeFirstOrThrow()
      if (total >= most) throw new ApiError('CONFLICT', `a workspace has at most ${most} alert rules; delete one first`)
      await db.insertInto('alert_rules').values(row).execute()
      await audit(ctx, db, { workspaceId, object: objectOf(row), after: ruleOf(row) })
      onCommit(() => ctx.wake('alerts'))
      return tagged(row)
    }),
  )
}

export async function getAlertRule({ db }: Pick<Ctx, 'db'>, id: string): Promise<Tagged<AlertRule>> {
  return tagged(await readRow(db, id))
}

export async function updateAlertRule(
  ctx: Ctx,
  id: string,
  patch: AlertRulePatch,
  ifMatch: string | undefined,
): Promise<Tagged<AlertRule>> {
  return refusingDuplicate('name', taken, () =>
    transaction(ctx, async ({ db, onCommit }) => {
      const before = await readRow(db, id)
      requireMatch(ifMatch, before.revision)
      const inputBefore = inputOf(before)
      const input = patched(alertRuleInput, inputBefore, patch)
      if (isEqual(input, inputBefore)) return tagged(before)
      const after = { ...before, ...columnsOf(input), updated_at: timestamp(ctx), revision: before.revision + 1 }
      await db.updateTable('alert_rules').set(after).where('id', '=', id).execute()
      if (!isEqual(input.condition, inputBefore.condition)) await stopAllWaiting(db, id)
      await audit(ctx, db, { workspaceId: after.workspace_id, object: objectOf(after), before: ruleOf(before), after: ruleOf(after) })
      onCommit(() => ctx.wake('alerts'))
      return tagged(after)
    }),
  )
}

/** Deletes a rule. Its alerts end with the next evaluation. */
export async function deleteAlertRule(ctx: Ctx, id: string, ifMatch: string | undefined): Promise<void> {
  await transaction(ctx, async ({ db, onCommit }) => {
    const before = await readRow(db, id)
    requireMatch(ifMatch, before.revision)
    await db.deleteFrom('alert_rules').where('id', '=', id).execute()
    await audit(ctx, db, { workspaceId: before.workspace_id, object: objectOf(before), before: ruleOf(before) })
    onCommit(() => ctx.wake('alerts'))
  })
}

export function ruleRow(ctx: Pick<Ctx, 'now'>, workspaceId: string, input: AlertRuleInput, at: string): AlertRuleRow {
  return { id: uuidv7(ctx.now()), workspace_id: workspaceId, ...columnsOf(input), revision: 1, created_at: at, updated_at: at }
}

/** A rule as the API shows it. */
export function ruleOf(row: AlertRuleRow): AlertRule {
  const { id, workspace_id, created_at, updated_at } = row
  return { id, workspace_id, ...inputOf(row), created_at, updated_at }
}

function inputOf({ name, enabled, severity, condition, for_seconds, label_selector }: AlertRuleRow): AlertRuleInput {
  return { name, enabled: enabled === 1, severity, condition: JSON.parse(condition), for_seconds, label_selector }
}

function columnsOf({ enabled, condition, ...rest }: AlertRuleInput) {
  return { ...rest, enabled: enabled ? 1 : 0, condition: JSON.stringify(condition) }
}

async function readRow(db: Kysely<Database>, id: string): Promise<AlertRuleRow> {
  const row = await db.selectFrom('alert_rules').selectAll().where('id', '=', id).executeTakeFirst()
  if (!row) throw new ApiError('NOT_FOUND', 'alert rule not found')
  return row
}

function tagged(row: AlertRuleRow): Tagged<AlertRule> {
  return { body: ruleOf(row), revision: row.revision }
}

function objectOf({ id, name }: AlertRuleRow) {
  return { kind: 'alert_rule', id, name }
}
