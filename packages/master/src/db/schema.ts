import type { AgentState } from '@nxmesh/model/agent'
import type { AuditEntry } from '@nxmesh/model/audit'
import type { ConfigKind, RevisionChange } from '@nxmesh/model/revision'
import type { OrganizationRole, TokenRole, WorkspaceRole } from '@nxmesh/model/roles'
import type { Generated, Insertable, Selectable } from 'kysely'
import type { AcmeAccounts, CertificateAuthorities, CertificateOrders, Certificates, FoundCertificates } from './schema-certificates.ts'
import type { DnsProviders } from './schema-dns.ts'
import type { AlertRules, Alerts, AlertWaits, EventCounter, Events, NotificationChannels, NotificationDeliveries } from './schema-events.ts'

/** Times are RFC 3339 UTC text, ids UUIDs, documents JSON text, booleans 0 or 1: the same in every engine. */
export interface Database {
  organizations: Organizations
  workspaces: Workspaces
  users: Users
  organization_members: OrganizationMembers
  workspace_members: WorkspaceMembers
  refresh_tokens: RefreshTokens
  keys: Keys
  sessions: UserSessions
  invitations: Invitations
  api_tokens: ApiTokens
  sign_in_failures: SignInFailures
  request_counts: RequestCounts
  agents: Agents
  masters: Masters
  virtual_hosts: Documents
  stream_hosts: Documents
  upstreams: Documents
  certificates: Certificates
  certificate_orders: CertificateOrders
  certificate_authorities: CertificateAuthorities
  found_certificates: FoundCertificates
  acme_accounts: AcmeAccounts
  history: History
  revisions: Revisions
  applies: Applies
  audit_log: AuditLog
  idempotency_keys: IdempotencyKeys
  events: Events
  event_counter: EventCounter
  alert_rules: AlertRules
  alerts: Alerts
  alert_waits: AlertWaits
  notification_channels: NotificationChannels
  notification_deliveries: NotificationDeliveries
  dns_providers: DnsProviders
}

interface Organizations {
  id: string
  name: string
  slug: string
  created_at: string
  updated_at: string
  /** Raised by one with each change of this resource. */
  revision: Generated<number>
}

interface Workspaces {
  id: string
  organization_id: string
  name: string
  slug: string
  /** The config version: raised by one with each change to what agents must serve. */
  version: number
  settings: string
  /** 1 where the configuration may hold Lua. */
  lua_allowed: Generated<number>
  created_at: string
  updated_at: string
  /** Raised by one with each change of the workspace itself, and with each change of its settings. */
  revision: Generated<number>
  settings_revision: Generated<number>
}

interface Users {
  id: string
  email: string
  name: Generated<string>
  password_hash: string
  /** Until when a password that somebody else has set is good; null for one of their own. */
  password_expires_at: string | null
  created_at: string
  updated_at: Generated<string>
  revision: Generated<number>
}

interface OrganizationMembers {
  organization_id: string
  user_id: string
  role: OrganizationRole
  created_at: Generated<string>
  revision: Generated<number>
}

interface WorkspaceMembers {
  workspace_id: string
  user_id: string
  role: WorkspaceRole
  created_at: Generated<string>
  revision: Generated<number>
}

/** Signed-in users: with tokens, or with a cookie. */
interface UserSessions {
  id: string
  user_id: string
  /** SHA-256 of the cookie's value; null for a session that refresh tokens carry. */
  cookie_hash: string | null
  address: string
  created_at: string
  expires_at: string
}

interface Invitations {
  id: string
  organization_id: string
  email: string
  role: OrganizationRole
  /** Roles in workspaces that come with it, as JSON. */
  workspaces: string
  /** The e-mail address and the id of the user. */
  invited_by: string
  inviter_id: string
  /** SHA-256 of the token. */
  token_hash: string
  created_at: string
  expires_at: string
}

interface ApiTokens {
  id: string
  user_id: string
  organization_id: string
  workspace_id: string | null
  name: string
  role: TokenRole
  prefix: string
  /** SHA-256 of the token. */
  hash: string
  created_at: string
  expires_at: string
  last_used_at: string | null
}

/** Failed sign-ins by what is held up when there are too many. */
interface SignInFailures {
  subject: string
  failures: number
  ends_at: string
}

/** Requests that the masters of one database have added up, by minutes since the epoch. */
interface RequestCounts {
  principal: string
  started: number
  requests: number
}

interface RefreshTokens {
  /** SHA-256 of the token. */
  hash: string
  /** The session. */
  family: string
  user_id: string
  expires_at: string
  used_at: string | null
}

/** Private keys of the master itself, encrypted under its secret key. */
interface Keys {
  kid: string
  purpose: 'jwt' | 'ca'
  private_pem: string
  certificate_pem: string | null
  created_at: string
}

interface Agents {
  id: string
  workspace_id: string
  name: string
  created_at: string
  /** SHA-256 of the token's secret; null once revoked. */
  token_hash: string | null
  /** Until when the token may register for the first time. */
  token_expires_at: string
  token_labels: string
  registered_at: string | null
  /** Set when the agent first came with a certificate of ours; its token is worth nothing from then on. */
  upgraded_at: string | null
  /** Certificates issued before this moment are refused. */
  certificates_valid_from: string | null
  machine_id: string
  boot_id: string
  hostname: string
  ip_address: string
  agent_version: string
  deployment_mode: string
  capabilities: string
  capability: number
  reported_labels: string
  central_labels: string
  connected: number
  /** The master that the agent is connected to, or was last. */
  master_id: string | null
  last_seen_at: string | null
  heartbeat_interval_seconds: number
  /** Last health report, as AgentHealth, or null. */
  health: string | null
  sent_version: number | null
  sent_digest: string | null
  applied_version: number | null
  applied_digest: string | null
  serving_digest: string | null
  /** The digest that the agent refused; it is not offered again until it changes or somebody asks. */
  rejected_digest: string | null
  config_status: string
  config_error: string | null
  findings: string
  drift: string | null
  /** What it is to serve and is not given, as its release does not know it: a sentence, or null. */
  left_out: string | null
  /** Derived from the facts above by stateOf, kept so that lists can filter by it. */
  state: AgentState
  state_reason: string | null
  /** Raised by one with each change that people make. */
  revision: Generated<number>
  /** What the agent said of its nginx and of the files that it serves, as AgentNginx, or null. */
  nginx: string | null
  /** The labels that decided what it was sent, and what it applied, as JSON. */
  sent_labels: string | null
  applied_labels: string | null
  /** What its last health report warned of, as AgentAlert[]. */
  alerts: Generated<string>
}

/** The masters that work on this database. */
interface Masters {
  /** Made anew with each start. */
  id: string
  /** By the database's clock. */
  seen_at: string
}

interface Documents {
  id: string
  workspace_id: string
  name: string
  doc: string
  /** Raised by one with each change of this resource. */
  revision: number
  created_at: string
  updated_at: string
}

interface History {
  workspace_id: string
  version: number
  kind: ConfigKind
  id: string
  /** The whole resource at this version, or null where it was deleted. */
  doc: string | null
  name: string
  action: RevisionChange['action']
}

interface Revisions {
  workspace_id: string
  version: number
  author: string
  created_at: string
  reason: string
}

/** The last attempts of each agent to apply a config. */
interface Applies {
  id: string
  agent_id: string
  /** Tells reports apart: an agent repeats its last one when it comes back. */
  report: string
  version: number
  digest: string
  status: 'success' | 'failed' | 'rolled_back'
  error: string | null
  findings: string
  duration_ms: number
  /** By the agent's clock, and by the master's. */
  applied_at: string | null
  reported_at: string
}

/** Only ever appended to: the database itself refuses anything else. */
interface AuditLog {
  id: string
  at: string
  organization_id: string | null
  workspace_id: string | null
  actor_kind: AuditEntry['actor']['kind']
  actor_id: string | null
  actor_name: string
  actor_token_id: string | null
  actor_token_name: string | null
  address: string
  request_id: string
  action: string
  object_kind: string
  object_id: string | null
  object_name: string
  reason: string | null
  /** Without secrets. */
  before_doc: string | null
  after_doc: string | null
}

interface IdempotencyKeys {
  /** Whose key it is. */
  caller: string
  key: string
  /** A keyed hash of the request. */
  fingerprint: string
  /** The master that took it. */
  master_id: string
  created_at: string
  /** Null while it is under way. */
  status: number | null
  /** The answer's headers and body, encrypted: it may hold a token that is shown only once. */
  answer: string | null
}

export type AgentRow = Selectable<Agents>
export type NewAgentRow = Insertable<Agents>
export type ApplyRow = Selectable<Applies>
export type DocumentRow = Selectable<Documents>
