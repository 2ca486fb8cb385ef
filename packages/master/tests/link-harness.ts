import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { pino } from 'pino'
import { connectForeign, type ForeignAgent } from '../../../e2e/foreign/agent.ts'
import { newAgentToken } from '../src/agent-token.ts'
import { openAgentWrites } from '../src/agent-writes.ts'
import { openAuthority } from '../src/authority.ts'
import { openResolver } from '../src/certificates/dns/resolver.ts'
import { openAcmeServers } from '../src/certificates/servers.ts'
import type { Ctx } from '../src/ctx.ts'
import { openSqlite } from '../src/db/open.ts'
import type { AgentRow, NewAgentRow } from '../src/db/schema.ts'
import { openExplainer } from '../src/explain/explainer.ts'
import { type LinkOptions, startLink } from '../src/link/server.ts'
import { openSessions } from '../src/link/sessions.ts'
import { livenessReconciler } from '../src/liveness.ts'
import { openMonitoring } from '../src/monitoring/monitoring.ts'
import { openSender } from '../src/notifications/sender.ts'
import { openOutbound } from '../src/outbound/outbound.ts'
import { openRateLimit } from '../src/rate-limit.ts'
import { startReconcilers } from '../src/reconcilers.ts'
import { rolloutReconciler } from '../src/rollout/reconcile.ts'
import { openSecrets } from '../src/secrets.ts'
import { openSignInThrottle } from '../src/sign-in-throttle.ts'
import { openTelemetry } from '../src/telemetry/store.ts'
import { openTokens } from '../src/tokens.ts'
import { uuidv7 } from '../src/uuid.ts'

export interface Harness extends AsyncDisposable {
  ctx: Ctx
  port: number
  connections(): number
  /** Lines that the master logged. */
  logged: string[]
  clock: { offset: number }
  agentToken(changes?: Partial<NewAgentRow>): Promise<{ id: string; token: string }>
  row(id: string): Promise<AgentRow>
  connect(certificate?: { cert: string; key: string }): ForeignAgent
  /** Puts virtual hosts in the place of all there are, as one change. */
  setHosts(hosts: Partial<VirtualHost>[]): Promise<number>
}

export const workspaceId = '00000000-0000-7000-8000-000000000001'

export async function startHarness(options: Partial<LinkOptions> = {}): Promise<Harness> {
  const directory = await mkdtemp(join(tmpdir(), 'nxmesh-link-'))
  await using stack = new AsyncDisposableStack()
  stack.defer(() => rm(directory, { recursive: true, force: true }))
  const clock = { offset: 0 }
  const now = () => Date.now() + clock.offset
  const logged: string[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) })
  const db = stack.adopt(await openSqlite(':memory:'), (opened) => opened.destroy())
  const masterId = 'this'
  const outbound = openOutbound([])
  const secrets = await openSecrets(join(directory, 'secret.key'), true)
  const agentWrites = stack.use(
    openAgentWrites(db, log, { masterId, onLost: () => ctx.wake('rollout'), onApplied: () => undefined, onTold: () => undefined, now }),
  )
  const ctx: Ctx = {
    db,
    now,
    log,
    wake: (name) => reconcilers.wake(name),
    secrets,
    tokens: await openTokens(db, secrets, now),
    signIns: openSignInThrottle({ db, now }, 0),
    rateLimit: stack.use(openRateLimit(db, { limit: 0, now, log })),
    publicUrl: undefined,
    authority: await openAuthority(db, secrets, now),
    sessions: openSessions(),
    agentWrites,
    telemetry: stack.use(
      openTelemetry({ directory: join(directory, 'telemetry'), limits: { retentionDays: 30, mostBytes: 2 ** 30 }, log }),
    ),
    monitoring: openMonitoring(),
    outbound,
    resolver: openResolver([]),
    acme: openAcmeServers({ directory: undefined, ca: undefined, outbound, now }),
    sender: openSender({ networks: [], smtp: undefined, now }),
    masterId,
    workspaceConfigs: new Map(),
    linted: new WeakMap(),
    desired: new Map(),
    documentTotals: new Map(),
    explainer: stack.use(openExplainer(log)),
  }
  const time = new Date().toISOString()
  await db.insertInto('organizations').values({ id: 'o', name: 'o', slug: 'o', created_at: time, updated_at: time }).execute()
  await db
    .insertInto('workspaces')
    .values({
      id: workspaceId,
      organization_id: 'o',
      name: 'w',
      slug: 'w',
      version: 1,
      settings: JSON.stringify({ nginx_directives: {}, env_vars: {} }),
      created_at: time,
      updated_at: time,
    })
    .execute()
  const reconcilers = stack.use(startReconcilers([rolloutReconciler(ctx), livenessReconciler(ctx)], log, now))
  const link = stack.use(await startLink(ctx, { host: '127.0.0.1', port: 0, names: [], heartbeat_interval_seconds: 10, ...options }))
  const opened = stack.move()

  return {
    ctx,
    port: link.port,
    connections: () => link.connections(),
    logged,
    clock,
    async agentToken(changes = {}) {
      const id = uuidv7(Date.now())
      const { token, hash } = newAgentToken(id, ctx.authority.fingerprint)
      await db
        .insertInto('agents')
        .values({ ...blankAgent(id, hash), ...changes })
        .execute()
      return { id, token }
    },
    row: (id) => db.selectFrom('agents').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    connect: (certificate) => connectForeign({ port: link.port, caPem: ctx.authority.caPem, ...(certificate && { certificate }) }),
    async setHosts(hosts) {
      const version = await db.transaction().execute(async (trx) => {
        const { version } = await trx
          .updateTable('workspaces')
          .set((eb) => ({ version: eb('version', '+', 1) }))
          .where('id', '=', workspaceId)
          .returning('version')
          .executeTakeFirstOrThrow()
        const gone = await trx.selectFrom('virtual_hosts').select('id').execute()
        await trx.deleteFrom('virtual_hosts').execute()
        const history = { workspace_id: workspaceId, version, kind: 'virtual_host' as const }
        const kept = new Set(hosts.map((host) => host.id))
        for (const { id } of gone) {
          if (!kept.has(id))
            await trx
              .insertInto('history')
              .values({ ...history, id, name: '', action: 'deleted', doc: null })
              .execute()
        }
        for (const changes of hosts) {
          const host = virtualHost(changes)
          const doc = JSON.stringify(host)
          const times = { created_at: host.created_at, updated_at: host.updated_at }
          await trx
            .insertInto('virtual_hosts')
            .values({ id: host.id, workspace_id: workspaceId, name: host.name, doc, revision: 1, ...times })
            .execute()
          await trx
            .insertInto('history')
            .values({ ...history, id: host.id, name: host.name, action: 'changed', doc })
            .execute()
        }
        return version
      })
      ctx.wake('rollout')
      return version
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

export function virtualHost(changes: Partial<VirtualHost>): VirtualHost {
  return {
    id: uuidv7(Date.now()),
    workspace_id: workspaceId,
    name: 'site',
    server_name: 'site.test',
    listen_port: 8080,
    ssl_enabled: false,
    ssl_certificate_id: null,
    http2_enabled: false,
    http3_enabled: false,
    locations: [],
    custom_directives: {},
    target_agents: { type: 'all' },
    created_at: new Date().toISOString(),
    updated_at: new Date().toISOString(),
    ...changes,
  }
}

export async function until(what: string, ask: () => unknown, seconds = 10): Promise<void> {
  const deadline = Date.now() + seconds * 1000
  while (!(await ask())) {
    if (Date.now() > deadline) throw new Error(`gave up waiting for: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

function blankAgent(id: string, hash: string): NewAgentRow {
  return {
    id,
    workspace_id: workspaceId,
    name: `agent ${id}`,
    created_at: new Date().toISOString(),
    token_hash: hash,
    token_expires_at: new Date(Date.now() + 3_600_000).toISOString(),
    token_labels: '{}',
    registered_at: null,
    upgraded_at: null,
    certificates_valid_from: null,
    machine_id: '',
    boot_id: '',
    hostname: '',
    ip_address: '',
    agent_version: '',
    deployment_mode: 'standalone',
    capabilities: '[]',
    capability: 0,
    reported_labels: '{}',
    central_labels: '{}',
    connected: 0,
    last_seen_at: null,
    heartbeat_interval_seconds: 10,
    health: null,
    sent_version: null,
    sent_digest: null,
    applied_version: null,
    applied_digest: null,
    serving_digest: null,
    rejected_digest: null,
    config_status: 'unknown',
    config_error: null,
    findings: '[]',
    drift: null,
    state: 'offline',
    state_reason: null,
  }
}
