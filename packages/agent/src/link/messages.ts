import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Finding } from '@nxmesh/model/agent'
import {
  type AgentMessageSchema,
  ConfigApplyStatus,
  type ConfigStatusSchema,
  DeploymentMode,
  type HealthReportSchema,
  type UpstreamServerStateSchema,
  type Command as WireCommand,
} from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { Command } from '../commands.ts'
import type { Health, NginxInstallation } from '../health.ts'
import type { ServerReport } from '../health-checks/report.ts'
import type { StatusReport } from '../ledger.ts'

export type Payload = NonNullable<MessageInitShape<typeof AgentMessageSchema>['payload']>

// A report stays well below what one message may hold; servers out of rotation come first.
const mostServers = 2000
const mostNames = 10_000
// What a master takes of them.
const mostFindings = 1000

const statuses = {
  pending: ConfigApplyStatus.PENDING,
  validating: ConfigApplyStatus.VALIDATING,
  applying: ConfigApplyStatus.APPLYING,
  success: ConfigApplyStatus.SUCCESS,
  failed: ConfigApplyStatus.FAILED,
  rolled_back: ConfigApplyStatus.ROLLED_BACK,
} as const

export const wireModes = {
  docker_sidecar: DeploymentMode.DOCKER_SIDECAR,
  kubernetes_sidecar: DeploymentMode.KUBERNETES_SIDECAR,
  standalone: DeploymentMode.STANDALONE,
} as const

export function configStatus(report: StatusReport): MessageInitShape<typeof ConfigStatusSchema> {
  return {
    configId: report.config_id,
    version: BigInt(report.version),
    status: statuses[report.status],
    errorMessage: report.error_message,
    appliedAt: BigInt(report.applied_at),
    configChecksum: report.digest,
    findings: fitting(report.findings).map(wireFinding),
    durationMs: report.duration_ms,
  }
}

/** As many findings as there is room for, errors first where that is not for all. */
function fitting(findings: readonly Finding[]): readonly Finding[] {
  if (findings.length <= mostFindings) return findings
  const kept = findings.toSorted((a, b) => Number(a.severity !== 'error') - Number(b.severity !== 'error')).slice(0, mostFindings - 1)
  return [...kept, { severity: 'warning', message: `${findings.length - kept.length} more findings have no room here` }]
}

function wireFinding({ severity, message, kind, id = '', name = '', field = '', file = '', line = 0 }: Finding) {
  return { severity, message, kind: kind ?? '', id, name, field, file, line }
}

export function healthReport(health: Health): MessageInitShape<typeof HealthReportSchema> {
  const { nginx, system, applied, serving_digest, installation, generation, drift, alerts, servers } = health
  return {
    nginx: {
      isRunning: nginx.is_running,
      pid: nginx.pid,
      uptimeSeconds: whole(nginx.uptime_seconds),
      activeConnections: nginx.active_connections,
      totalRequests: whole(nginx.total_requests),
      requestsPerSecond: nginx.requests_per_second,
      runningVersion: nginx.running_version,
      installedVersion: nginx.installed_version,
      workers: nginx.workers,
      workersShuttingDown: nginx.workers_shutting_down,
    },
    system: {
      cpuPercent: system.cpu_percent,
      memoryUsedBytes: whole(system.memory_used_bytes),
      memoryTotalBytes: whole(system.memory_total_bytes),
      diskUsedBytes: whole(system.disk_used_bytes),
      diskTotalBytes: whole(system.disk_total_bytes),
      loadAverage1m: system.load_average_1m,
    },
    // Version 0 is what the agent runs on its own, before any master has said anything.
    configChecksum: applied.version === 0 ? '' : applied.digest,
    configVersion: whole(applied.version),
    servingChecksum: serving_digest,
    drifted: drift.length > 0,
    driftMessage: driftMessage(drift),
    ...(installation && { nginxInstallation: wireInstallation(installation) }),
    generation: generation?.name ?? '',
    filesChecksum: generation?.files_checksum ?? '',
    resolvedNames: Object.entries(generation?.names ?? {})
      .slice(0, mostNames)
      .map(([name, addresses]) => ({ name, addresses: [...addresses] })),
    absentAddresses: [...(generation?.absent_addresses ?? [])].slice(0, mostNames),
    upstreamServers: servers.slice(0, mostServers).map(wireServer),
    alerts: alerts.map((alert) => ({ ...alert, timestamp: BigInt(Date.now()) })),
  }
}

function wireInstallation(installation: NginxInstallation) {
  return {
    mode: installation.mode,
    version: installation.version,
    supports: installation.supports,
    modules: Object.fromEntries(Object.entries(installation.modules).map(([name, paths]) => [name, { paths: [...paths] }])),
    runtimeDirectory: installation.runtime_directory,
    generationsDirectory: installation.generations_directory,
    ipv6: installation.ipv6,
    workerUser: installation.worker_user,
    resolver: installation.resolver,
    accessLog: installation.access_log,
  }
}

function wireServer(server: ServerReport): MessageInitShape<typeof UpstreamServerStateSchema> {
  return {
    upstreamId: server.upstream_id,
    address: server.address,
    state: server.state,
    inRotation: server.in_rotation,
    since: whole(server.since),
    lastError: server.last_error,
    checksPassed: whole(server.checks_passed),
    checksFailed: whole(server.checks_failed),
  }
}

export function commandOf(command: WireCommand['command']): Command | undefined {
  switch (command.case) {
    case 'reload':
      return { kind: 'reload' }
    case 'restart':
      return { kind: 'restart', force: command.value.force }
    case 'stop':
      return { kind: 'stop', graceful: command.value.graceful, timeout_seconds: command.value.timeoutSeconds }
    case 'getStatus':
      return { kind: 'get_status' }
    case 'readHostConfig':
      return { kind: 'read_host_config' }
    case 'validateConfig':
      return { kind: 'validate_config', content: command.value.configContent }
    case undefined:
      return undefined
    default:
      return command satisfies never
  }
}

function driftMessage(files: readonly string[]): string {
  if (files.length === 0) return ''
  const shown = files.slice(0, 20).join(', ')
  const more = files.length > 20 ? ` and ${files.length - 20} more` : ''
  return `files differ from what the agent wrote: ${shown}${more}`
}

function whole(value: number): bigint {
  return BigInt(Math.max(0, Math.round(value)))
}
