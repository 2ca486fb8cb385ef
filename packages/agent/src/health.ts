import { setTimeout as delay } from 'node:timers/promises'
import { type LoadedModules, type NginxFacts, namesOf } from '@nxmesh/nginx/facts'
import { checksumOf } from '@nxmesh/nginx/render/file-hashes'
import type { ResolvedNames } from '@nxmesh/nginx/resolved-names'
import { changedFiles, type Generation, readGeneration } from './generations.ts'
import type { ServerReport } from './health-checks/report.ts'
import type { InstallationMode } from './installation.ts'
import type { Fact } from './ledger.ts'
import { binaryOf, workersOf } from './nginx.ts'
import { uptimeOf } from './processes.ts'
import type { Scope } from './scope.ts'
import { type HostUsage, hostMeter } from './telemetry/host.ts'
import { requestMeter } from './telemetry/stub-status.ts'

/** What decides which files this agent renders for a config, and where. */
export interface NginxInstallation {
  mode: InstallationMode
  version: string
  supports: string[]
  modules: LoadedModules
  runtime_directory: string
  generations_directory: string
  ipv6: boolean
  worker_user: string
  /** Where nginx may ask for the servers of upstreams; empty where marks are written into the files. */
  resolver: string
  access_log: string
}

export interface Health {
  nginx: {
    is_running: boolean
    pid: number
    uptime_seconds: number
    active_connections: number
    total_requests: number
    requests_per_second: number
    running_version: string
    installed_version: string
    workers: number
    workers_shutting_down: number
  }
  system: HostUsage
  applied: Fact
  serving_digest: string
  /** The nginx that reads the configs; absent when it cannot be run. */
  installation: NginxInstallation | undefined
  /** The directory that nginx serves from. */
  generation: { name: string; files_checksum: string; names: ResolvedNames; absent_addresses: readonly string[] } | undefined
  drift: string[]
  servers: ServerReport[]
  alerts: { id: string; severity: 'warning' | 'error' | 'critical'; message: string; metric?: string; value?: number }[]
}

const patienceMs = 250
const down = { metric: 'nginx_up', value: 0 }
const off = { uptime_seconds: 0, active_connections: 0, total_requests: 0, requests_per_second: 0, workers: 0, workers_shutting_down: 0 }

/** Looks at nginx, the machine and the files of the current generation. `trouble` says why nginx does not serve, where that is known. */
export function healthMeter(
  scope: Scope,
  { trouble, servers }: { trouble: () => string | undefined; servers: () => ServerReport[] },
): () => Promise<Health> {
  const { installation, ledger, paths } = scope
  const measureHost = hostMeter(paths.data)
  const meterRequests = requestMeter()
  let known = { master: 0, asked: 0, latest: 0 }
  const lastFacts = new Map<string, NginxFacts>()

  async function nginxStatus(): Promise<{ status: Health['nginx']; serving: string }> {
    const master = await installation.findMaster()
    const installed_version = await versionOf(installation.binary)
    if (master === undefined) return { status: { ...off, is_running: false, pid: 0, running_version: '', installed_version }, serving: '' }
    // One after the other: a question that is under way may be counted by us and not yet by nginx.
    const serving = await scope.server.serving()
    const [stub, workers, uptime_seconds] = await Promise.all([scope.server.stubStatus(), workersOf(master), uptimeOf(master)])
    // Another master counts from zero, and so do we.
    if (known.master !== master) known = { master, asked: known.latest, latest: known.latest }
    known.latest = scope.server.asked
    const own = scope.server.asked - known.asked
    const rate = meterRequests({ requests: stub?.requests ?? 0, own, at: performance.now() })
    const status = {
      is_running: true,
      pid: master,
      uptime_seconds,
      active_connections: stub?.active ?? 0,
      total_requests: rate.total,
      requests_per_second: rate.perSecond,
      running_version: await versionOf(await binaryOf(master, installation.binary)),
      installed_version,
      workers: workers.length,
      workers_shutting_down: workers.filter((worker) => worker.shuttingDown).length,
    }
    return { status, serving: serving?.digest ?? '' }
  }

  async function describeInstallation(master: number | undefined): Promise<NginxInstallation | undefined> {
    const binary = master === undefined ? installation.binary : await binaryOf(master, installation.binary)
    const facts = await factsOf(binary).catch(() => undefined)
    return (
      facts && {
        mode: installation.mode,
        version: facts.version,
        supports: namesOf(facts.supports),
        modules: facts.modules,
        runtime_directory: paths.runtime,
        generations_directory: paths.generations,
        ipv6: scope.ipv6,
        worker_user: scope.workerUser ?? '',
        resolver: scope.answers?.address ?? '',
        access_log: paths.accessLog,
      }
    )
  }

  /** What is known of a binary. Where that is being learned anew, which takes many runs of nginx, it is what was known before: the report is a heartbeat. */
  async function factsOf(binary: string): Promise<NginxFacts> {
    const learning = scope.factsOf(binary).then((facts) => {
      lastFacts.set(binary, facts)
      return facts
    })
    const last = lastFacts.get(binary)
    if (!last) return learning
    const waiting = new AbortController()
    const patience = delay(patienceMs, last, { signal: waiting.signal })
    patience.catch(() => undefined)
    return Promise.race([learning, patience]).finally(() => waiting.abort())
  }

  async function versionOf(binary: string): Promise<string> {
    return factsOf(binary).then(
      (facts) => facts.version,
      () => '',
    )
  }

  return async () => {
    const [{ status, serving }, system] = await Promise.all([nginxStatus(), measureHost()])
    const { good, stopped } = ledger.state
    const generation = good && (await readGeneration(paths, good.generation))
    // Drift is told, not undone: whoever changed a file by hand had a reason. The next change or a reload command writes a new generation.
    const drift = generation ? await changedFiles(generation) : good ? ['manifest.json (missing)'] : []
    const alerts: Health['alerts'] = []
    const reason = trouble()
    if (stopped) alerts.push({ id: 'nginx.stopped', severity: 'warning', message: 'nginx was stopped by command', ...down })
    else if (reason !== undefined) alerts.push({ id: 'nginx.trouble', severity: 'critical', message: reason, ...down })
    if (status.is_running && status.running_version !== status.installed_version) {
      const message = `nginx ${status.running_version} runs, but ${status.installed_version} is installed; a restart would run it`
      alerts.push({ id: 'nginx.upgraded', severity: 'warning', message })
    }
    return {
      nginx: status,
      system,
      drift,
      servers: servers(),
      alerts,
      serving_digest: serving,
      installation: await describeInstallation(status.is_running ? status.pid : undefined),
      generation: generation ? describeGeneration(generation) : undefined,
      applied: { version: good?.version ?? 0, digest: good?.digest ?? '' },
    }
  }
}

function describeGeneration({ name, manifest }: Generation): Health['generation'] {
  const { names = {}, absent_addresses = [] } = manifest.health ?? {}
  return { name, files_checksum: checksumOf(manifest.files), names, absent_addresses }
}
