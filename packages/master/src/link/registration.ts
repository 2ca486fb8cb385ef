import type { DeploymentMode } from '@nxmesh/model/agent'
import { type Labels, labels } from '@nxmesh/model/labels'
import { type RegistrationRequest, DeploymentMode as WireMode } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { invalidArgument, type Refusal } from './refusal.ts'

/** What an agent says of itself when it registers, checked. */
export interface Registration {
  hostname: string
  ip_address: string
  version: string
  deployment_mode: DeploymentMode
  capabilities: string[]
  labels: Labels
  capability: number
  machine_id: string
  boot_id: string
  applied: { version: number; digest: string } | null
  rejected_digest: string | null
}

const control = /[\u0000-\u001f\u007f]/
const digest = /^[0-9a-f]{64}$/

const modes: Record<number, DeploymentMode> = {
  [WireMode.DEPLOYMENT_MODE_UNSPECIFIED]: 'standalone',
  [WireMode.DOCKER_SIDECAR]: 'docker_sidecar',
  [WireMode.KUBERNETES_SIDECAR]: 'kubernetes_sidecar',
  [WireMode.STANDALONE]: 'standalone',
}

/** Reads a registration; a field that is too long or malformed refuses it by name. */
export function readRegistration(request: RegistrationRequest): Registration | Refusal {
  const texts = { hostname: 253, ip_address: 100, version: 100, machine_id: 200, boot_id: 200 }
  const values = {
    hostname: request.hostname,
    ip_address: request.ipAddress,
    version: request.version,
    machine_id: request.machineId,
    boot_id: request.bootId,
  }
  for (const [field, max] of Object.entries(texts) as [keyof typeof texts, number][]) {
    const reason = badText(values[field], max)
    if (reason) return invalidArgument(field, reason)
  }
  if (request.capabilities.length > 100) return invalidArgument('capabilities', 'must hold at most 100 entries')
  for (const [index, capability] of request.capabilities.entries()) {
    const reason = capability === '' ? 'must not be empty' : badText(capability, 200)
    if (reason) return invalidArgument(`capabilities.${index}`, reason)
  }
  const checked = labels.safeParse(request.labels)
  if (!checked.success) {
    const issue = checked.error.issues[0]!
    return invalidArgument(['labels', ...issue.path.map((part) => String(part).slice(0, 100))].join('.'), reasonOf(issue))
  }
  const mode = modes[request.deploymentMode]
  if (!mode) return invalidArgument('deployment_mode', 'is not one of the contract')
  const version = Number(request.configVersion)
  if (version < 0 || !Number.isSafeInteger(version)) return invalidArgument('config_version', 'must be a version of a config')
  for (const field of ['configChecksum', 'rejectedChecksum'] as const) {
    if (request[field] !== '' && !digest.test(request[field])) {
      return invalidArgument(field === 'configChecksum' ? 'config_checksum' : 'rejected_checksum', 'must be 64 hexadecimal digits')
    }
  }
  return {
    ...values,
    deployment_mode: mode,
    capabilities: [...request.capabilities],
    labels: checked.data,
    capability: Math.min(request.capability, 1_000_000),
    applied: request.configChecksum === '' ? null : { version, digest: request.configChecksum },
    rejected_digest: request.rejectedChecksum || null,
  }
}

function badText(text: string, max: number): string | undefined {
  if (text.length > max) return `must be at most ${max} characters`
  return control.test(text) ? 'must not contain control characters' : undefined
}

// A record's bad key is reported as one issue that holds the key's own.
function reasonOf(issue: { message: string; code?: string | undefined; issues?: { message: string }[] }): string {
  return issue.code === 'invalid_key' ? (issue.issues?.[0]?.message ?? issue.message) : issue.message
}
