import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db)
}

const statements = [
  `alter table users add column name text not null default ''`,
  `alter table users add column updated_at text not null default ''`,
  `alter table users add column revision integer not null default 1`,
  // Until when a password that somebody else has set is good.
  `alter table users add column password_expires_at text`,
  `update users set name = email, updated_at = created_at`,
  ...['organization_members', 'workspace_members'].flatMap((table) => [
    `alter table ${table} add column created_at text not null default ''`,
    `alter table ${table} add column revision integer not null default 1`,
  ]),
  `update organization_members set created_at = (select created_at from organizations where id = organization_id)`,
  `update workspace_members set created_at = (select created_at from workspaces where id = workspace_id)`,
  `create index organization_members_order on organization_members (organization_id, created_at, user_id)`,
  `create index workspace_members_order on workspace_members (workspace_id, created_at, user_id)`,
  `create index workspaces_order on workspaces (organization_id, created_at, id)`,
  `create table sessions (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    cookie_hash text unique, address text not null, created_at text not null, expires_at text not null)`,
  `create index sessions_user on sessions (user_id, address)`,
  `create index sessions_expiry on sessions (expires_at)`,
  `insert into sessions (id, user_id, cookie_hash, address, created_at, expires_at)
    select family, user_id, null, '', min(expires_at), max(expires_at) from refresh_tokens group by family, user_id`,
  `create index refresh_tokens_user on refresh_tokens (user_id)`,
  `create table invitations (
    id text primary key,
    organization_id text not null references organizations (id) on delete cascade,
    email text not null, role text not null, workspaces text not null, invited_by text not null, inviter_id text not null, token_hash text not null unique,
    created_at text not null, expires_at text not null)`,
  `create index invitations_order on invitations (organization_id, created_at, id)`,
  `create index invitations_expiry on invitations (expires_at)`,
  `create table api_tokens (
    id text primary key,
    user_id text not null references users (id) on delete cascade,
    organization_id text not null references organizations (id) on delete cascade,
    workspace_id text references workspaces (id) on delete cascade,
    name text not null, role text not null, prefix text not null, hash text not null unique,
    created_at text not null, expires_at text not null, last_used_at text)`,
  `create index api_tokens_order on api_tokens (user_id, created_at, id)`,
  `create index api_tokens_organization on api_tokens (organization_id)`,
  `create index api_tokens_workspace on api_tokens (workspace_id)`,
  `create index api_tokens_expiry on api_tokens (expires_at)`,
  // By whom and on what, in any order of the other filters.
  ...['actor_id', 'actor_name', 'object_id'].map((column) => `create index audit_log_${column} on audit_log (${column}, id)`),
  `create table sign_in_failures (subject text primary key, failures integer not null, ends_at text not null)`,
  `create index sign_in_failures_end on sign_in_failures (ends_at)`,
  `create table request_counts (
    principal text not null, started integer not null, requests integer not null, primary key (principal, started))`,
  `create index request_counts_start on request_counts (started)`,
]
