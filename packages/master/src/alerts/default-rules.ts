import { type AlertRuleInput, alertRuleInput } from '@nxmesh/model/alert-rule'
import type { Kysely } from 'kysely'
import { type Ctx, timestamp } from '../ctx.ts'
import type { Database } from '../db/schema.ts'
import { ruleRow } from './rules.ts'

const above = (metric: string, threshold: number, more: object = {}) => ({ kind: 'metric', metric, operator: 'above', threshold, ...more })
const state = (name: string) => ({ kind: 'state', state: name })

/** What a new workspace warns of until somebody changes it. */
const defaultRules: AlertRuleInput[] = [
  { name: 'Agent offline', severity: 'critical', for_seconds: 60, condition: state('agent_offline') },
  { name: 'nginx not running', severity: 'critical', for_seconds: 15, condition: state('nginx_down') },
  { name: 'Config could not be applied', severity: 'error', condition: state('apply_failed') },
  { name: 'Files changed by others', for_seconds: 60, condition: state('drift') },
  {
    name: 'Server errors',
    severity: 'error',
    for_seconds: 60,
    condition: above('server_error_percent', 5, { clear_threshold: 2, min_requests: 50 }),
  },
  { name: 'Processor', for_seconds: 600, condition: above('cpu_percent', 90, { clear_threshold: 80 }) },
  { name: 'Memory', for_seconds: 600, condition: above('memory_percent', 90, { clear_threshold: 85 }) },
  { name: 'Disk', severity: 'error', for_seconds: 300, condition: above('disk_percent', 90, { clear_threshold: 88 }) },
  { name: 'Certificate expiring', severity: 'error', condition: state('certificate_expiring') },
  { name: 'Log lines dropped', condition: above('log_lines_dropped', 0) },
].map((rule) => alertRuleInput.parse(rule))

/** Gives a workspace that was just made its first rules. */
export async function insertDefaultRules(ctx: Pick<Ctx, 'now'>, db: Kysely<Database>, workspaceId: string): Promise<void> {
  const at = timestamp(ctx)
  await db
    .insertInto('alert_rules')
    .values(defaultRules.map((rule) => ruleRow(ctx, workspaceId, rule, at)))
    .execute()
}
