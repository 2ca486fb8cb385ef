import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { resolve } from 'node:path'
import { digestOf } from '@nxmesh/model/digest'
import type { NginxFacts } from '@nxmesh/nginx/facts'
import { watchAddresses } from './addresses.ts'
import { binaryFacts } from './binary-facts.ts'
import { type Command, type CommandResult, commandRunner } from './commands.ts'
import { lockData } from './data-lock.ts'
import { dataPaths } from './durable.ts'
import { type Health, healthMeter } from './health.ts'
import { answeredServers } from './health-checks/answered.ts'
import { openAnswerer } from './health-checks/answerer.ts'
import { startHealthChecks } from './health-checks/checker.ts'
import { openMarks } from './health-checks/marks.ts'
import { dataOf } from './health-checks/report.ts'
import { openHostCertificates } from './host-certificates.ts'
import { hostModules } from './host-modules.ts'
import { type Installation, includeInstallation, ownedInstallation } from './installation.ts'
import { type DesiredConfig, type LedgerState, openLedger, type StatusReport } from './ledger.ts'
import { type Link, linkToMaster } from './link.ts'
import { openNames } from './names/names.ts'
import { privateServer } from './private-server.ts'
import { explain, startReconciler } from './reconcile.ts'
import type { FaultPoint, Log, Scope } from './scope.ts'
import { prepareDirectories, recover } from './serving.ts'
import { type TelemetryLimits, telemetryLimits } from './telemetry/messages.ts'
import { startTelemetry } from './telemetry/telemetry.ts'

export interface AgentOptions {
  /** `host:port`; without one the agent runs what it last had. */
  master?: string | undefined
  token?: string | undefined
  caFile?: string | undefined
  dataDir: string
  nginx: string
  mode: 'owned' | 'include'
  nginxConf?: string | undefined
  labels: Readonly<Record<string, string>>
  deploymentMode: 'docker_sidecar' | 'kubernetes_sidecar' | 'standalone'
  /** Bytes of each log that may wait for the master. */
  logBacklog?: number | undefined
}

export interface Overrides {
  at?: (point: FaultPoint) => void | Promise<void>
  log?: Log
  onStatus?: (status: StatusReport) => void
  telemetry?: Partial<TelemetryLimits>
  /** Milliseconds between two looks at the certificates of the host. */
  certificatesEvery?: number
  /** Milliseconds that nginx may take to test a host's config. */
  testMs?: number
  /** Milliseconds between two questions for the addresses of a name. */
  namesEvery?: number
  addressesEvery?: number
}

export interface Agent extends AsyncDisposable {
  /** Takes a config as if the master had sent it. */
  offer(update: DesiredConfig): void
  command(id: string, command: Command): Promise<CommandResult>
  health(): Promise<Health>
  readonly state: Readonly<LedgerState>
  readonly trouble: string | undefined
}

/** Starts an agent: undoes what a crash left, brings nginx to its last good config and joins the master. Disposing it leaves nginx running. */
export async function startAgent(options: AgentOptions, overrides: Overrides = {}): Promise<Agent> {
  const { at = () => {}, log = () => {}, onStatus } = overrides
  const paths = dataPaths(resolve(options.dataDir))
  requireShortPath(paths.socket)
  await prepareDirectories(paths)
  await using opening = new AsyncDisposableStack()
  opening.use(await lockData(paths.data))
  await rm(paths.scratch, { recursive: true, force: true })
  await prepareDirectories(paths)
  const ledger = await openLedger(paths)
  const hostConfOf = (facts: NginxFacts) => options.nginxConf ?? facts.conf_path
  const factsOf = binaryFacts(paths, options.mode === 'include' ? (facts) => hostModules(hostConfOf(facts), facts) : undefined)
  const facts = await factsOf(options.nginx)
  const hostConf = hostConfOf(facts)
  const installation: Installation =
    options.mode === 'owned'
      ? ownedInstallation(paths, options.nginx)
      : includeInstallation(paths, options.nginx, facts, options.nginxConf, overrides.testMs)
  const marks = await openMarks(paths)
  const names = opening.use(await openNames(paths, log, overrides.namesEvery))
  const addresses = opening.use(watchAddresses(overrides.addressesEvery))
  const answerer = facts.supports.upstream_resolve ? await openAnswerer(paths, log) : undefined
  if (answerer) opening.use(answerer)
  const scope: Scope = {
    paths,
    marks,
    names,
    addresses,
    answers: answerer,
    ledger,
    installation,
    hostConf,
    factsOf,
    server: privateServer(paths.socket),
    log,
    at,
    ipv6: existsSync('/proc/net/if_inet6'),
    workerUser: await workerUser(),
  }
  const good = ledger.state.good && (await ledger.configOf(ledger.state.good.digest))
  if (good) answerer?.expect(answeredServers(good, () => marks.current))
  await recover(scope)

  let link: Link | undefined
  const sendHealth = async () => link?.sendHealth()
  const tellHealth = () =>
    void sendHealth().catch((cause: unknown) => log('error', 'a health report could not be made', { error: explain(cause) }))
  let telling: NodeJS.Timeout | undefined
  const reconciler = startReconciler(scope, (status) => {
    link?.report(status)
    if (status.applied_at > 0) tellHealth()
    onStatus?.(status)
  })
  const checks = startHealthChecks(scope, {
    reconciler,
    answerer,
    onChange(change) {
      if (change) link?.event(`upstream.server_${change.kind}`, dataOf(change))
      // Servers that fail together are told of together.
      clearTimeout(telling)
      telling = setTimeout(tellHealth, 150)
    },
  })
  const health = healthMeter(scope, { trouble: () => reconciler.trouble, servers: () => checks.servers() })
  const limits = { ...telemetryLimits(options.logBacklog), ...overrides.telemetry }
  const telemetry = await startTelemetry(scope, limits, (task) => reconciler.exclusive(task))
  const found = openHostCertificates(scope, installation.mode === 'include' ? hostConf : undefined, overrides.certificatesEvery)
  opening.use(found)
  const command = commandRunner(scope, reconciler, sendHealth)
  link =
    options.master === undefined
      ? undefined
      : await linkToMaster({
          options: { ...options, master: options.master },
          paths,
          log,
          facts: async () => factsOf(options.nginx),
          applied: () => ledger.state,
          health,
          found: () => found.certificates,
          async onIdentity(agent_id) {
            const known = ledger.state.agent_id
            if (known === agent_id) return
            const anew = known === null ? {} : { desired: null, rejected: null, report: null }
            await reconciler.exclusive(() => ledger.change({ agent_id, ...anew }))
          },
          onConfig(update) {
            try {
              const config = update.config()
              reconciler.offer({ ...update, config, digest: update.digest || digestOf(config) })
            } catch (cause) {
              reconciler.refuse(update, explain(cause))
            }
          },
          onCommand: command,
          telemetry,
        })

  const held = opening.move()
  return {
    offer: (update) => reconciler.offer(update),
    command,
    health,
    get state() {
      return ledger.state
    },
    get trouble() {
      return reconciler.trouble
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(telling)
      await checks[Symbol.asyncDispose]()
      await link?.[Symbol.asyncDispose]()
      await telemetry[Symbol.asyncDispose]()
      await reconciler[Symbol.asyncDispose]()
      await held[Symbol.asyncDispose]()
    },
  }
}

// A unix socket's path has 108 bytes, its last one a zero. Source: unix(7).
function requireShortPath(socket: string): void {
  if (Buffer.byteLength(socket) <= 107) return
  throw new Error(`the data directory's path is too long: the socket ${socket} in it may have at most 107 bytes`)
}

/** The user that workers run as when the master process is root: the one that the distributions make for it. */
async function workerUser(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return undefined
  const users = new Set((await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':')[0]))
  return ['www-data', 'nginx', 'http', 'nobody'].find((name) => users.has(name))
}
