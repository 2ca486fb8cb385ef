import { type Kysely, sql } from 'kysely'
import { uuidv7 } from '../../uuid.ts'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
  const { rows } = await sql<{ id: string }>`select id from workspaces`.execute(db)
  const at = new Date().toISOString()
  for (const { id } of rows) {
    for (const [name, severity, for_seconds, condition] of rules) {
      await sql`insert into alert_rules (id, workspace_id, name, enabled, severity, condition, for_seconds, label_selector, revision, created_at, updated_at)
        values (${uuidv7(Date.now())}, ${id}, ${name}, 1, ${severity}, ${JSON.stringify(condition)}, ${for_seconds}, '', 1, ${at}, ${at})`.execute(
        db,
      )
    }
  }
}

const statements = [
  `create table alert_rules (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, enabled integer not null, severity text not null, condition text not null,
    for_seconds integer not null, label_selector text not null,
    revision integer not null, created_at text not null, updated_at text not null)`,
  `create unique index alert_rules_name on alert_rules (workspace_id, name)`,
  `create index alert_rules_creation on alert_rules (workspace_id, created_at, id)`,
  // A row is active while its reason holds, also after somebody has resolved it.
  `create table alerts (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    agent_id text not null references agents (id) on delete cascade,
    rule_id text references alert_rules (id) on delete set null,
    source text not null, name text not null, severity text not null, message text not null,
    metric text, value double precision, threshold double precision,
    active integer not null, opened_at text not null, updated_at text not null,
    acknowledged_at text, acknowledged_by text, resolved_at text, resolved_by text)`,
  `create unique index alerts_active on alerts (agent_id, source) where active = 1`,
  `create index alerts_agent on alerts (agent_id)`,
  `create index alerts_workspace on alerts (workspace_id, opened_at)`,
  `create index alerts_rule on alerts (rule_id)`,
  `create index alerts_resolved on alerts (resolved_at)`,
]

// What workspaces that were there before get; what new ones get may change.
const metric = { kind: 'metric', operator: 'above', clear_threshold: null, window_seconds: 300, min_requests: 0 }
const rules: [name: string, severity: string, for_seconds: number, condition: object][] = [
  ['Agent offline', 'critical', 60, { kind: 'state', state: 'agent_offline' }],
  ['nginx not running', 'critical', 15, { kind: 'state', state: 'nginx_down' }],
  ['Config could not be applied', 'error', 0, { kind: 'state', state: 'apply_failed' }],
  ['Files changed by others', 'warning', 60, { kind: 'state', state: 'drift' }],
  ['Server errors', 'error', 60, { ...metric, metric: 'server_error_percent', threshold: 5, clear_threshold: 2, min_requests: 50 }],
  ['Processor', 'warning', 600, { ...metric, metric: 'cpu_percent', threshold: 90, clear_threshold: 80 }],
  ['Memory', 'warning', 600, { ...metric, metric: 'memory_percent', threshold: 90, clear_threshold: 85 }],
  ['Disk', 'error', 300, { ...metric, metric: 'disk_percent', threshold: 90, clear_threshold: 88 }],
  ['Log lines dropped', 'warning', 0, { ...metric, metric: 'log_lines_dropped', threshold: 0 }],
]
