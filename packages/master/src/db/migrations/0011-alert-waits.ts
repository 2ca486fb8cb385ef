import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table alert_waits (
    agent_id text not null references agents (id) on delete cascade,
    rule_id text not null references alert_rules (id) on delete cascade,
    since text not null, primary key (agent_id, rule_id))`,
  `create index alert_waits_rule on alert_waits (rule_id)`,
]
