import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  // One row, from which events take their numbers: whoever holds it commits before the next one can.
  `create table event_counter (name text primary key, last integer not null)`,
  `create table events (
    seq integer primary key, id text not null unique,
    organization_id text not null, workspace_id text not null,
    type text not null, at text not null, data text not null)`,
  `create index events_workspace on events (workspace_id, seq)`,
  `create index events_time on events (at, seq)`,
  // What each agent's last health report warned of.
  `alter table agents add column alerts text not null default '[]'`,
]
