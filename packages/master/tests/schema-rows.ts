import { type Kysely, sql } from 'kysely'
import type { Database } from '../src/db/schema.ts'

const time = '2026-01-01T00:00:00.000Z'
const future = '2999-01-01T00:00:00.000Z'

/** Rows as each schema of the past had them, by the migration that brought what they need. Once written they stay as they are. */
export const schemaRows: Record<string, [table: string, ...parts: Record<string, string | number | null>[]][]> = {
  '0001-init': [
    ['organizations', { id: 'o1', name: 'Acme', slug: 'acme', created_at: time, updated_at: time }],
    [
      'workspaces',

      { id: 'w1', organization_id: 'o1', name: 'Production', slug: 'production', version: 4 },
      { settings: '{"nginx_directives":{},"env_vars":{}}', created_at: time, updated_at: time },
    ],
    ['users', { id: 'u1', email: 'someone@example.com', password_hash: '$argon2id$v=19$…', created_at: time }],
    ['organization_members', { organization_id: 'o1', user_id: 'u1', role: 'owner' }],
    ['workspace_members', { workspace_id: 'w1', user_id: 'u1', role: 'viewer' }],
    ['refresh_tokens', { hash: 'aa', family: 'f1', user_id: 'u1', expires_at: future, used_at: null }],
    ['keys', { kid: 'ca', purpose: 'ca', private_pem: 'sealed', certificate_pem: '-----BEGIN', created_at: time }],
    [
      'agents',

      { id: 'a1', workspace_id: 'w1', name: 'web-1', created_at: time, token_hash: 'bb', token_expires_at: time },
      { token_labels: '{"env":"production"}', registered_at: time, upgraded_at: time, certificates_valid_from: null },
      {
        machine_id: 'm',
        boot_id: 'b',
        hostname: 'web-1',
        ip_address: '10.0.0.1',
        agent_version: '0.1.0',
        deployment_mode: 'standalone',
      },
      { capabilities: '[]', capability: 1, reported_labels: '{}', central_labels: '{}', connected: 1, last_seen_at: time },
      { heartbeat_interval_seconds: 10, health: null, sent_version: 4, sent_digest: 'd4', applied_version: 4, applied_digest: 'd4' },
      { serving_digest: 'd4', rejected_digest: null, config_status: 'success', config_error: null, findings: '[]', drift: null },
      { state: 'online', state_reason: null },
    ],
    ['upstreams', document('up1', { name: 'web', servers: [{ address: '10.0.0.9:80' }] })],
    ['virtual_hosts', document('vh1', { name: 'Shop', server_name: 'shop.example.com', listen_port: 80 })],
    ...[1, 2, 3, 4].map((version) => revision(version)),
    ['history', { workspace_id: 'w1', version: 1, kind: 'upstream', id: 'up1', doc: content('up1', { name: 'web' }) }],
    ['history', { workspace_id: 'w1', version: 2, kind: 'virtual_host', id: 'vh1', doc: content('vh1', { name: 'Shop' }) }],
    ['history', { workspace_id: 'w1', version: 3, kind: 'virtual_host', id: 'vh0', doc: content('vh0', { name: 'Gone' }) }],
    ['history', { workspace_id: 'w1', version: 4, kind: 'virtual_host', id: 'vh0', doc: null }],
  ],
  '0002-masters': [],
  '0003-history': [
    [
      'applies',

      { id: 'ap1', agent_id: 'a1', report: 'r1', version: 4, digest: 'd4', status: 'success', error: null, findings: '[]' },
      { duration_ms: 120, applied_at: time, reported_at: time },
    ],
    [
      'audit_log',

      { id: 'au1', at: time, organization_id: 'o1', workspace_id: 'w1', actor_kind: 'user', actor_id: 'u1' },
      { actor_name: 'someone@example.com', address: '127.0.0.1', request_id: 'req-1', action: 'create', object_kind: 'upstream' },
      { object_id: 'up1', object_name: 'web', reason: null, before_doc: null, after_doc: '{"name":"web"}' },
    ],
    [
      'idempotency_keys',
      { caller: 'u1', key: 'k1', fingerprint: 'ff', master_id: 'm1', created_at: time, status: 201, answer: '{"body":{}}' },
    ],
  ],
  '0004-identity': [
    ['sessions', { id: 'f2', user_id: 'u1', cookie_hash: 'cc', address: '127.0.0.1', created_at: time, expires_at: future }],
    [
      'invitations',
      {
        id: 'i1',
        organization_id: 'o1',
        email: 'new@example.com',
        role: 'member',
        workspaces: '[]',
        invited_by: 'someone@example.com',
        inviter_id: 'u1',
      },
      { token_hash: 'dd', created_at: time, expires_at: future },
    ],
    [
      'api_tokens',
      { id: 't1', user_id: 'u1', organization_id: 'o1', workspace_id: 'w1', name: 'CI', role: 'viewer', prefix: 'nxm_ab' },
      { hash: 'ee', created_at: time, expires_at: future, last_used_at: null },
    ],
    ['sign_in_failures', { subject: 'someone@example.com', failures: 2, ends_at: future }],
    ['request_counts', { principal: 'u1', started: 1_767_225_600, requests: 3 }],
  ],
  '0005-events': [
    ['event_counter', { name: 'events', last: 1 }],
    ['events', { seq: 1, id: 'ev1', organization_id: 'o1', workspace_id: 'w1', type: 'agent.online', at: time, data: '{"agent_id":"a1"}' }],
  ],
  '0006-alerts': [
    [
      'alert_rules',

      { id: 'ar1', workspace_id: 'w1', name: 'Mine', enabled: 1, severity: 'warning', condition: '{"kind":"state","state":"drift"}' },
      { for_seconds: 0, label_selector: '', revision: 1, created_at: time, updated_at: time },
    ],
    [
      'alerts',

      { id: 'al1', workspace_id: 'w1', agent_id: 'a1', rule_id: 'ar1', source: 'rule:ar1', name: 'Mine', severity: 'warning' },
      { message: 'files differ', metric: null, value: null, threshold: null, active: 1, opened_at: time, updated_at: time },
      { acknowledged_at: null, acknowledged_by: null, resolved_at: null, resolved_by: null },
    ],
  ],
  '0007-notifications': [
    [
      'notification_channels',
      { id: 'nc1', workspace_id: 'w1', name: 'On-call', kind: 'webhook', enabled: 1, events: '["health.alert"]', min_severity: 'info' },
      { target: 'sealed', begins_after: 1, failing_since: null, last_error: null, disabled_reason: null },
      { created_at: time, updated_at: time, revision: 1 },
    ],
    [
      'notification_deliveries',
      { id: 'nd1', channel_id: 'nc1', workspace_id: 'w1', event_id: 'ev1', event_type: 'agent.online', event_at: time, body: '{}' },
      { state: 'delivered', attempts: 1, last_attempt_at: time, next_attempt_at: null, status: 200, response: 'ok', error: null },
      { duration_ms: 12, replay_of: null, created_at: time },
    ],
  ],
  '0008-certificates': [
    [
      'acme_accounts',
      { id: 'aa1', workspace_id: 'w1', name: 'letsencrypt', directory_url: 'https://acme.example.com/directory', ca_pem: null },
      { email: null, eab_kid: null, sealed_eab_key: null, built_in: 'letsencrypt', sealed_key: 'sealed', thumbprint: 'tp' },
      { sealed_next_key: null, url: 'https://acme.example.com/acct/1', created_at: time, updated_at: time, revision: 1 },
    ],
    [
      'certificates',
      { id: 'ce1', workspace_id: 'w1', name: 'shop.example.com', provider: 'letsencrypt', auto_renew: 1, key_type: 'ec256' },
      { doc: content('ce1', { name: 'shop.example.com', names: ['shop.example.com'], certificate_pem: null, expires_at: null }) },
      { challenge: 'http-01', dns_provider_id: null, acme_account_id: 'aa1', profile: null, issued_at: null, not_before: null },
      { expires_at: null, revoked_at: null, error: null, failures: 0, order_due_at: null, renewal_info_due_at: null, warn_at: null },
      { created_at: time, updated_at: time, revision: 1 },
    ],
    [
      'certificate_orders',
      { id: 'co1', certificate_id: 'ce1', workspace_id: 'w1', acme_account_id: 'aa1', step: 'preflight', url: null },
      { sealed_key: 'sealed', authorizations: '[]', skip_preflight: 0, begun_at: null, attempt: 0, next_at: time, leased_by: null },
      { leased_until: null, outcome: null, error: null, created_at: time, ended_at: null },
    ],
    ['certificate_authorities', { workspace_id: 'w1', certificate_pem: '-----BEGIN', sealed_key: 'sealed', created_at: time }],
  ],
  '0009-dns-providers': [
    [
      'dns_providers',
      {
        id: 'dp1',
        workspace_id: 'w1',
        name: 'Zone',
        kind: 'cloudflare',
        target: 'sealed',
        created_at: time,
        updated_at: time,
        revision: 1,
      },
    ],
  ],
  '0010-found-certificates': [
    [
      'found_certificates',
      { id: 'fc1', workspace_id: 'w1', agent_id: 'a1', path: '/etc/ssl/a.pem', server_names: '["a.test"]', names: '["a.test"]' },
      { subject: 'CN=a', issuer: 'CN=b', serial: '01', fingerprint: 'aa', key: 'rsa 2048', not_before: time, not_after: future },
      { ends_at: future, error: null, seen_at: time },
    ],
  ],
  '0011-alert-waits': [['alert_waits', { agent_id: 'a1', rule_id: 'ar1', since: time }]],
  '0012-stream-hosts': [['stream_hosts', document('sh1', { name: 'Database', protocol: 'tcp', listen_port: 5432, upstream_id: 'up1' })]],
  '0013-lua-allowed': [
    [
      'workspaces',
      { id: 'w2', organization_id: 'o1', name: 'Scripted', slug: 'scripted', version: 1, lua_allowed: 1 },
      { settings: '{"nginx_directives":{},"env_vars":{}}', created_at: time, updated_at: time },
    ],
  ],
  '0014-left-out': [],
}

/** Puts the rows of one migration into a database that has just seen it. */
export async function insertRows(db: Kysely<Database>, migration: string): Promise<void> {
  for (const [table, ...parts] of schemaRows[migration]!) {
    const row = Object.assign({}, ...parts) as (typeof parts)[number]
    const columns = sql.join(Object.keys(row).map((column) => sql.ref(column)))
    await sql`insert into ${sql.table(table)} (${columns}) values (${sql.join(Object.values(row))})`.execute(db)
  }
}

function content(id: string, fields: object): string {
  return JSON.stringify({ id, workspace_id: 'w1', ...fields, created_at: time, updated_at: time })
}

function document(id: string, fields: { name: string; [field: string]: unknown }): Record<string, string | number> {
  return { id, workspace_id: 'w1', name: fields.name, doc: content(id, fields), revision: 2, created_at: time, updated_at: time }
}

function revision(version: number): [string, Record<string, string | number>] {
  return ['revisions', { workspace_id: 'w1', version, author: 'someone@example.com', created_at: time, reason: `change ${version}` }]
}
