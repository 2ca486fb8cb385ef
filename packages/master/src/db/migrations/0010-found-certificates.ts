import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table found_certificates (
    id text primary key, workspace_id text not null references workspaces (id) on delete cascade,
    agent_id text not null references agents (id) on delete cascade,
    path text not null, server_names text not null, names text not null, subject text, issuer text, serial text, fingerprint text,
    key text, not_before text, not_after text, ends_at text not null, error text, seen_at text not null)`,
  `create index found_certificates_agent on found_certificates (agent_id)`,
  `create index found_certificates_end on found_certificates (workspace_id, ends_at, id)`,
]
