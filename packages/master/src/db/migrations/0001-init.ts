import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `create table organizations (id text primary key, name text not null, slug text not null unique, created_at text not null, updated_at text not null)`,
  `create table workspaces (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    name text not null, slug text not null, version integer not null, settings text not null,
    created_at text not null, updated_at text not null,
    unique (organization_id, slug))`,
  `create table users (id text primary key, email text not null unique, password_hash text not null, created_at text not null)`,
  `create table organization_members (
    organization_id text not null references organizations (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    role text not null, primary key (organization_id, user_id))`,
  `create index organization_members_user on organization_members (user_id)`,
  `create table workspace_members (
    workspace_id text not null references workspaces (id) on delete cascade,
    user_id text not null references users (id) on delete cascade,
    role text not null, primary key (workspace_id, user_id))`,
  `create index workspace_members_user on workspace_members (user_id)`,
  `create table refresh_tokens (
    hash text primary key, family text not null,
    user_id text not null references users (id) on delete cascade,
    expires_at text not null, used_at text)`,
  `create index refresh_tokens_family on refresh_tokens (family)`,
  `create index refresh_tokens_expiry on refresh_tokens (expires_at)`,
  `create table keys (kid text primary key, purpose text not null, private_pem text not null, certificate_pem text, created_at text not null)`,
  `create table agents (
    id text primary key,
    workspace_id text not null references workspaces (id) on delete cascade,
    name text not null, created_at text not null,
    token_hash text, token_expires_at text not null, token_labels text not null,
    registered_at text, upgraded_at text, certificates_valid_from text,
    machine_id text not null, boot_id text not null,
    hostname text not null, ip_address text not null, agent_version text not null, deployment_mode text not null,
    capabilities text not null, capability integer not null,
    reported_labels text not null, central_labels text not null,
    connected integer not null, last_seen_at text, heartbeat_interval_seconds integer not null, health text,
    sent_version integer, sent_digest text, applied_version integer, applied_digest text, serving_digest text,
    rejected_digest text, config_status text not null, config_error text, findings text not null, drift text,
    state text not null, state_reason text,
    unique (workspace_id, name))`,
  `create index agents_order on agents (workspace_id, created_at, id)`,
  ...['virtual_hosts', 'upstreams'].flatMap((table) => [
    `create table ${table} (
      id text primary key,
      workspace_id text not null references workspaces (id) on delete cascade,
      name text not null, doc text not null, revision integer not null,
      created_at text not null, updated_at text not null)`,
    `create index ${table}_order on ${table} (workspace_id, created_at, id)`,
  ]),
  `create unique index upstreams_name on upstreams (workspace_id, name)`,
  `create table revisions (
    workspace_id text not null references workspaces (id) on delete cascade,
    version integer not null, author text not null, created_at text not null, reason text not null,
    primary key (workspace_id, version))`,
  `create table history (
    workspace_id text not null references workspaces (id) on delete cascade,
    version integer not null, kind text not null, id text not null, doc text,
    primary key (workspace_id, version, kind, id))`,
]
