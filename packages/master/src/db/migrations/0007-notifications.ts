import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table notification_channels (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, kind text not null, enabled integer not null, events text not null, min_severity text not null,
    target text not null, begins_after integer not null, failing_since text, last_error text, disabled_reason text,
    created_at text not null, updated_at text not null, revision integer not null)`,
  `create unique index notification_channels_name on notification_channels (workspace_id, name)`,
  `create index notification_channels_creation on notification_channels (workspace_id, created_at, id)`,
  `create index notification_channels_enabled on notification_channels (enabled, id)`,
  `create table notification_deliveries (
    id text primary key, channel_id text not null references notification_channels (id) on delete cascade,
    workspace_id text not null, event_id text not null, event_type text not null, event_at text not null, body text not null,
    state text not null, attempts integer not null, last_attempt_at text, next_attempt_at text,
    status integer, response text, error text, duration_ms integer, replay_of text, created_at text not null)`,
  `create index notification_deliveries_channel on notification_deliveries (channel_id, id)`,
  // Most are over and done with; only those that are due are looked for all the time.
  `create index notification_deliveries_due on notification_deliveries (channel_id, next_attempt_at) where state = 'pending'`,
  `create index notification_deliveries_age on notification_deliveries (created_at)`,
]
