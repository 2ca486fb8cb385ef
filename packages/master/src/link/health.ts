import { isIP } from 'node:net'
import type { AgentHealth } from '@nxmesh/model/agent'
import { type NginxInstallation, nginxInstallation } from '@nxmesh/model/agent-files'
import { type ServerHealth, serverHealth } from '@nxmesh/model/server-health'
import type { ResolvedNames } from '@nxmesh/nginx/resolved-names'
import type { Alert, HealthReport, NginxInstallation as WireInstallation } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { AgentAlert } from '../agent-events.ts'
import type { FoundCertificate } from '../certificates/found.ts'
import { readFound } from './found.ts'

export interface HealthReading {
  health: AgentHealth
  config_digest: string | null
  config_version: number
  serving_digest: string | null
  drift: string | null
  nginx: AgentNginx | null
  /** What it warns of, the first hundred of it. */
  alerts: AgentAlert[]
  /** The certificates of its host; absent where they are as it told before. */
  found?: FoundCertificate[]
}

/** What an agent says of its nginx and of the files that it serves. */
export interface AgentNginx {
  installation: NginxInstallation
  generation: string
  files_checksum: string
  /** The addresses in these files in the place of host names. */
  names?: ResolvedNames
  /** Those that virtual hosts are to listen on and its machine does not have. */
  absent_addresses?: string[]
}

const mostServers = 10_000
const mostNames = 10_000
const latest = 8.64e15
const digest = /^[0-9a-f]{64}$/
const severities = new Set(['info', 'warning', 'error', 'critical'])
const mostAlerts = 100
const longestMessage = 1000
const megabyte = 1_048_576

/** Reads a health report, or says which field cannot be believed. */
export function readHealth(report: HealthReport): { ok: true; reading: HealthReading } | { ok: false; reason: string } {
  const { nginx, system } = report
  const numbers: [string, number | bigint, number][] = [
    ['config_version', report.configVersion, Number.MAX_SAFE_INTEGER],
    ['nginx.uptime_seconds', nginx?.uptimeSeconds ?? 0, 1e11],
    ['nginx.total_requests', nginx?.totalRequests ?? 0, Number.MAX_SAFE_INTEGER],
    ['nginx.requests_per_second', nginx?.requestsPerSecond ?? 0, 1e10],
    ['system.cpu_percent', system?.cpuPercent ?? 0, 1e6],
    ['system.load_average_1m', system?.loadAverage1m ?? 0, 1e6],
    ['system.memory_used_bytes', system?.memoryUsedBytes ?? 0, Number.MAX_SAFE_INTEGER],
    ['system.memory_total_bytes', system?.memoryTotalBytes ?? 0, Number.MAX_SAFE_INTEGER],
    ['system.disk_used_bytes', system?.diskUsedBytes ?? 0, Number.MAX_SAFE_INTEGER],
    ['system.disk_total_bytes', system?.diskTotalBytes ?? 0, Number.MAX_SAFE_INTEGER],
  ]
  for (const [field, value, max] of numbers) {
    const number = Number(value)
    if (!Number.isFinite(number) || number < 0 || number > max) return { ok: false, reason: `${field} must be a number from 0 to ${max}` }
  }
  const texts = { running_version: nginx?.runningVersion ?? '', installed_version: nginx?.installedVersion ?? '' }
  for (const [field, text] of Object.entries(texts)) {
    if (text.length > 100) return { ok: false, reason: `nginx.${field} must be at most 100 characters` }
  }
  if (report.driftMessage.length > 65_536) return { ok: false, reason: 'drift_message must be at most 65536 characters' }
  if (report.alerts.length > 1000) return { ok: false, reason: 'alerts must hold at most 1000 entries' }
  const alerts = readAlerts(report.alerts)
  if (typeof alerts === 'string') return { ok: false, reason: alerts }
  const nginxOf = report.nginxInstallation && readNginx(report, report.nginxInstallation)
  if (typeof nginxOf === 'string') return { ok: false, reason: nginxOf }
  const found = report.foundCertificates && readFound(report.foundCertificates)
  if (typeof found === 'string') return { ok: false, reason: found }
  const servers = readServers(report)
  if (typeof servers === 'string') return { ok: false, reason: servers }
  const health: AgentHealth = {
    nginx_status: nginx ? (nginx.isRunning ? 'running' : 'stopped') : 'unknown',
    nginx_uptime_seconds: Number(nginx?.uptimeSeconds ?? 0),
    active_connections: nginx?.activeConnections ?? 0,
    requests_per_second: decimals(nginx?.requestsPerSecond ?? 0),
    cpu_percent: decimals(system?.cpuPercent ?? 0),
    memory_used_mb: megabytes(system?.memoryUsedBytes),
    config_version: Number(report.configVersion),
    memory_total_mb: megabytes(system?.memoryTotalBytes),
    disk_used_mb: megabytes(system?.diskUsedBytes),
    disk_total_mb: megabytes(system?.diskTotalBytes),
    load_average_1m: decimals(system?.loadAverage1m ?? 0),
    nginx_pid: nginx?.pid ?? 0,
    total_requests: Number(nginx?.totalRequests ?? 0),
    nginx_version: texts.running_version,
    nginx_installed_version: texts.installed_version,
    workers: nginx?.workers ?? 0,
    workers_shutting_down: nginx?.workersShuttingDown ?? 0,
    drifted: report.drifted,
    upstream_servers: servers,
  }
  const drift = report.drifted ? report.driftMessage || 'files differ from what the agent wrote' : null
  return {
    ok: true,
    reading: {
      health,
      // A checksum of another kind, as an agent that is not ours may send, says nothing about a digest.
      config_digest: digest.test(report.configChecksum) ? report.configChecksum : null,
      config_version: Number(report.configVersion),
      serving_digest: digest.test(report.servingChecksum) ? report.servingChecksum : null,
      drift,
      nginx: nginxOf ?? null,
      alerts,
      ...(found && { found }),
    },
  }
}

function readAlerts(alerts: Alert[]): AgentAlert[] | string {
  const read = new Map<string, AgentAlert>()
  for (const [index, { id, severity, message, metric, value }] of alerts.entries()) {
    if (id === '' || id.length > 200) return `alerts.${index}.id must have 1 to 200 characters`
    if (!severities.has(severity)) return `alerts.${index}.severity must be info, warning, error or critical`
    if (metric.length > 200) return `alerts.${index}.metric must be at most 200 characters`
    if (!Number.isFinite(value)) return `alerts.${index}.value must be a number`
    if (read.size < mostAlerts) read.set(id, { alert_id: id, severity, message: message.slice(0, longestMessage), metric, value })
  }
  return [...read.values()]
}

function readNginx(
  { generation, filesChecksum, resolvedNames, absentAddresses }: HealthReport,
  wire: WireInstallation,
): AgentNginx | string {
  const read = nginxInstallation.safeParse({
    mode: wire.mode,
    version: wire.version,
    supports: wire.supports,
    ...(Object.keys(wire.modules).length > 0 && {
      modules: Object.fromEntries(Object.entries(wire.modules).map(([name, { paths }]) => [name, paths])),
    }),
    runtime_directory: wire.runtimeDirectory,
    generations_directory: wire.generationsDirectory,
    ipv6: wire.ipv6,
    worker_user: wire.workerUser,
    resolver: wire.resolver,
    access_log: wire.accessLog,
  })
  if (!read.success) {
    const { path, message } = read.error.issues[0]!
    return `nginx_installation.${path.join('.')}: ${message}`
  }
  if (generation.length > 1000) return 'generation must be at most 1000 characters'
  if (filesChecksum !== '' && !digest.test(filesChecksum)) return 'files_checksum must be 64 hexadecimal digits'
  if (resolvedNames.length > mostNames) return `resolved_names must hold at most ${mostNames} entries`
  for (const [at, { name, addresses }] of resolvedNames.entries()) {
    if (name === '' || name.length > 300) return `resolved_names.${at}.name must have 1 to 300 characters`
    if (addresses.length > 64 || !addresses.every((address) => isIP(address) !== 0))
      return `resolved_names.${at}.addresses must be at most 64 IP addresses`
  }
  if (absentAddresses.length > mostNames || !absentAddresses.every((address) => isIP(address) !== 0))
    return `absent_addresses must be at most ${mostNames} IP addresses`
  const names = Object.fromEntries(resolvedNames.map(({ name, addresses }) => [name, addresses]))
  return { installation: read.data, generation, files_checksum: filesChecksum, names, absent_addresses: absentAddresses }
}

function readServers({ upstreamServers }: HealthReport): ServerHealth[] | string {
  if (upstreamServers.length > mostServers) return `upstream_servers must hold at most ${mostServers} entries`
  const servers: ServerHealth[] = []
  for (const [at, wire] of upstreamServers.entries()) {
    const since = Number(wire.since)
    const read = serverHealth.safeParse({
      upstream_id: wire.upstreamId,
      address: wire.address,
      state: wire.state,
      in_rotation: wire.inRotation,
      since: since > 0 && since <= latest ? new Date(since).toISOString() : null,
      last_error: wire.lastError === '' ? null : wire.lastError.slice(0, 500),
      checks_passed: Number(wire.checksPassed),
      checks_failed: Number(wire.checksFailed),
    })
    if (!read.success) return `upstream_servers.${at}.${read.error.issues[0]!.path.join('.')}: ${read.error.issues[0]!.message}`
    servers.push(read.data)
  }
  return servers
}

// A float of 32 bits has about seven digits; the rest is noise of the conversion.
function decimals(value: number): number {
  return Math.round(value * 100) / 100
}

function megabytes(bytes: bigint | undefined): number {
  return Math.round(Number(bytes ?? 0n) / megabyte)
}
