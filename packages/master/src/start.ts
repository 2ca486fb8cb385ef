import { randomUUID } from 'node:crypto'
import { mkdir, readFile, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { LogEvent } from 'kysely'
import { type Logger, pino } from 'pino'
import { localAgentToken } from './agent-tokens.ts'
import { openAgentWrites } from './agent-writes.ts'
import { deleteOldAlerts } from './alerts/alerts.ts'
import { alertsReconciler } from './alerts/reconcile.ts'
import { openAuthority } from './authority.ts'
import { openCertificateDispatch } from './certificates/dispatch.ts'
import { openResolver, type Resolver } from './certificates/dns/resolver.ts'
import { deleteOldOrders } from './certificates/orders.ts'
import { openAcmeServers } from './certificates/servers.ts'
import type { Config } from './config.ts'
import type { Ctx } from './ctx.ts'
import { openDatabase } from './db/open.ts'
import { alone } from './db/portable.ts'
import type { ApplyRow } from './db/schema.ts'
import { openFeed } from './events/feed.ts'
import { deleteOldEvents } from './events/log.ts'
import { defaultLimits, type Limits } from './events/pass.ts'
import { openExplainer } from './explain/explainer.ts'
import { replaceFile } from './files.ts'
import { firstStart } from './first-start.ts'
import { createServer } from './http/server.ts'
import { deleteOldKeys } from './idempotency.ts'
import { startLink } from './link/server.ts'
import { openSessions } from './link/sessions.ts'
import { livenessReconciler } from './liveness.ts'
import { joinMasters, leaveMasters, mastersReconciler } from './masters.ts'
import { openMonitoring } from './monitoring/monitoring.ts'
import { watch } from './monitoring/watch.ts'
import { deleteOldDeliveries } from './notifications/deliveries.ts'
import { defaultPace, openDispatch, type Pace } from './notifications/dispatch.ts'
import { openSender, type SenderSettings } from './notifications/sender.ts'
import { exportingOf } from './otlp-export.ts'
import { openOutbound } from './outbound/outbound.ts'
import { openPeers } from './peers.ts'
import { openRateLimit } from './rate-limit.ts'
import { type Reconciler, type ReconcilerName, startReconcilers } from './reconcilers.ts'
import { rolloutReconciler } from './rollout/reconcile.ts'
import { openSecrets } from './secrets.ts'
import { deleteEndedFailures, openSignInThrottle } from './sign-in-throttle.ts'
import { openTelemetry } from './telemetry/store.ts'
import { openTokens, signingKeysReconciler } from './tokens.ts'
import { deleteEndedSessions } from './user-sessions.ts'

export interface Master extends AsyncDisposable {
  http: { host: string; port: number }
  agents: { host: string; port: number }
  /** The first administrator, when the password was made by this start. */
  administrator: { email: string; password: string } | undefined
  ctx: Ctx
}

/** What tests put in the place of the real thing. */
export interface Overrides {
  now?: () => number
  log?: Logger
  /** Is told of every query. */
  onQuery?: (event: LogEvent) => void
  /** Ends the wait for a database that is away. */
  signal?: AbortSignal
  listeners?: Partial<Limits>
  notifications?: Partial<Pace & Pick<SenderSettings, 'timeout' | 'resolve'>>
  resolver?: Resolver
}

const closeWithin = 5000

/** The composition root: opens everything a master consists of, serves, and closes it in reverse when disposed. */
export async function startMaster(config: Config, overrides: Overrides = {}): Promise<Master> {
  const now = overrides.now ?? Date.now
  const log = overrides.log ?? pino({ level: config['log-level'], base: null }, pino.destination({ fd: 2, sync: false }))
  const directory = config['data-dir']
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await using stack = new AsyncDisposableStack()

  const keyFile = config['secret-key-file']
  const secrets = await openSecrets(keyFile ?? join(directory, 'secret.key'), keyFile === undefined)
  const monitoring = openMonitoring()
  const onQuery = (event: LogEvent) => {
    monitoring.queried(event)
    overrides.onQuery?.(event)
  }
  const db = stack.adopt(await openDatabase(databaseOf(config), { ...overrides, onQuery, log }), (opened) => opened.destroy())
  const authority = await openAuthority(db, secrets, now)
  await replaceFile(join(directory, 'ca.pem'), authority.caPem, 0o644)
  const masterId = randomUUID()
  await joinMasters({ db, now, wake: () => undefined }, masterId)
  stack.defer(() => leaveMasters(db, masterId).catch((error: unknown) => log.warn({ err: error }, 'could not sign off')))
  const onLost = () => reconcilers.wake('rollout')
  const onApplied = (attempt: ApplyRow) => monitoring.applied(attempt)
  const onTold = () => {
    ctx.wake('events')
    ctx.wake('alerts')
  }
  const agentWrites = stack.use(openAgentWrites(db, log, { masterId, onLost, onApplied, onTold, now }))

  const outbound = openOutbound(config['outbound-networks'], overrides.notifications?.resolve)
  const look = (name: ReconcilerName) => {
    reconcilers.wake(name)
    if (name === 'events') reconcilers.wake('notifications')
  }

  const ctx: Ctx = {
    db,
    now,
    log,
    wake(name) {
      look(name)
      if (name === 'rollout' || name === 'events') peers.tell(name)
    },
    // Masters that start together must not make two of anything.
    secrets,
    tokens: await alone(db, () => openTokens(db, secrets, now)),
    signIns: openSignInThrottle({ db, now }, config['sign-in-failures']),
    rateLimit: stack.use(openRateLimit(db, { limit: config['rate-limit'], now, log })),
    publicUrl: config['public-url'],
    authority,
    sessions: openSessions(),
    agentWrites,
    telemetry: stack.use(openTelemetry({ ...telemetryOf(config), exporting: exportingOf(config, db), log })),
    monitoring,
    outbound,
    resolver: overrides.resolver ?? openResolver(config['dns-resolvers'], { mayReach: (address) => outbound.mayReach(address) }),
    acme: openAcmeServers({ ...(await acmeOf(config)), outbound, now }),
    sender: openSender({ ...senderOf(config), ...overrides.notifications, now }),
    masterId,
    workspaceConfigs: new Map(),
    desired: new Map(),
    linted: new WeakMap(),
    documentTotals: new Map(),
    explainer: stack.use(openExplainer(log)),
  }
  const administrator = await alone(db, () => firstStart(ctx, { email: config['admin-email'], password: config['admin-password'] }))
  const feed = await openFeed(ctx, { ...defaultLimits, ...overrides.listeners })
  const dispatch = stack.use(openDispatch(ctx, { ...defaultPace, ...overrides.notifications }))
  const certificates = stack.use(openCertificateDispatch(ctx))
  const reconcilers = stack.use(
    startReconcilers(
      [
        rolloutReconciler(ctx),
        livenessReconciler(ctx),
        alertsReconciler(ctx),
        mastersReconciler(ctx),
        signingKeysReconciler(ctx),
        housekeeping(ctx),
        feed.reconciler,
        dispatch.reconciler,
        certificates.reconciler,
      ],
      log,
      now,
    ),
  )
  watch(monitoring.registry, { ctx, reconcilers, listeners: () => feed.size() })
  const peers = stack.use(openPeers(db, { location: databaseOf(config), masterId, log, onLook: look }))
  const names = [config.agents.host, hostname(), ...hostOf(config['public-url']), ...config['agent-names']]
  const heartbeat_interval_seconds = config['heartbeat-interval']
  const link = stack.use(await startLink(ctx, { ...config.agents, names, heartbeat_interval_seconds }))
  const app = stack.adopt(
    createServer(ctx, feed, { trustedProxies: config['trusted-proxies'], metricsToken: config['metrics-token'] }),
    closeSoon,
  )
  stack.use(feed)
  const http = await listen(app, config.http)
  if (config['local-agent-token'] !== undefined) await offerLocalToken(ctx, config['local-agent-token'])

  const opened = stack.move()
  return { http, agents: { host: link.host, port: link.port }, administrator, ctx, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}

/** Where the database of a master is. */
export function databaseOf(config: Pick<Config, 'database' | 'data-dir'>): string {
  return config.database ?? join(config['data-dir'], 'nxmesh.db')
}

function telemetryOf(config: Config) {
  const limits = { retentionDays: config['telemetry-retention-days'], mostBytes: config['telemetry-max-size'] }
  return { directory: join(config['data-dir'], 'telemetry'), limits }
}

function senderOf(config: Config): Pick<SenderSettings, 'networks' | 'smtp'> {
  const [url, from] = [config['smtp-url'], config['smtp-from']]
  return { networks: config['outbound-networks'], smtp: url === undefined || from === undefined ? undefined : { url, from } }
}

async function acmeOf(config: Config): Promise<{ directory: string | undefined; ca: string | undefined }> {
  const file = config['acme-ca-file']
  return { directory: config['acme-directory'], ca: file === undefined ? undefined : await readFile(file, 'utf8') }
}

async function listen(app: FastifyInstance, { host, port }: { host: string; port: number }) {
  await app.listen({ host, port })
  const address = app.server.address()
  return { host, port: typeof address === 'object' && address ? address.port : port }
}

// What is under way is answered, unless it takes longer than a service manager waits.
async function closeSoon(app: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => app.server.closeAllConnections(), closeWithin)
  await app.close()
  clearTimeout(timer)
}

async function offerLocalToken(ctx: Ctx, file: string): Promise<void> {
  const token = await localAgentToken(ctx)
  if (token === undefined) await rm(file, { force: true })
  else await replaceFile(file, `${token}\n`, 0o600)
}

function housekeeping(ctx: Ctx): Reconciler {
  return {
    name: 'housekeeping',
    every: 600_000,
    run: async () => ({
      ended: (await deleteEndedSessions(ctx)) + (await deleteEndedFailures(ctx)) + (await deleteOldKeys(ctx)),
      events: await deleteOldEvents(ctx),
      alerts: await deleteOldAlerts(ctx),
      deliveries: await deleteOldDeliveries(ctx),
      orders: await deleteOldOrders(ctx),
    }),
  }
}

function hostOf(url: string | undefined): string[] {
  return url === undefined ? [] : [new URL(url).hostname]
}
