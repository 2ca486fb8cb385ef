import { type Finding, finding } from '@nxmesh/model/agent'
import { ConfigApplyStatus, type ConfigStatus, type Finding as WireFinding } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { AgentFacts } from '../agent-writes.ts'
import type { ApplyRow } from '../db/schema.ts'

/** A config as it was offered to an agent. */
export interface Offer {
  version: number
  digest: string
  configId: string
}

/** How an attempt to apply a config ended. */
export type Attempt = Pick<ApplyRow, 'version' | 'digest' | 'status' | 'error' | 'findings' | 'duration_ms'> & {
  /** Milliseconds since the epoch by the clock of an agent of ours; 0 where it does not say. */
  applied_at: number
}

/** What an agent's word on a config means: facts to note, and whether it is its last word on that digest. */
export type StatusReading =
  | { kind: 'malformed'; field: string; reason: string }
  /** It speaks of a config that this master does not remember offering. */
  | { kind: 'unknown' }
  | { kind: 'progress'; digest: string; changes: Partial<AgentFacts> }
  | { kind: 'final'; digest: string; success: boolean; changes: Partial<AgentFacts>; attempt: Attempt }

const digestPattern = /^[0-9a-f]{64}$/
const longestError = 65_536
const mostFindings = 1000

/** Reads a ConfigStatus. An agent that echoes no digest is matched by config id or version with what it was offered. */
export function readConfigStatus(status: ConfigStatus, offered: Offer | undefined): StatusReading {
  if (status.configChecksum !== '' && !digestPattern.test(status.configChecksum)) {
    return { kind: 'malformed', field: 'config_checksum', reason: 'must be 64 hexadecimal digits' }
  }
  const version = Number(status.version)
  if (version < 0 || !Number.isSafeInteger(version)) return { kind: 'malformed', field: 'version', reason: 'must be a version of a config' }
  const subject = subjectOf(status, version, offered)
  if (!subject) return { kind: 'unknown' }
  const error = status.errorMessage.slice(0, longestError)
  switch (status.status) {
    case ConfigApplyStatus.PENDING:
      return { kind: 'progress', digest: subject.digest, changes: { config_status: 'pending' } }
    case ConfigApplyStatus.VALIDATING:
      return { kind: 'progress', digest: subject.digest, changes: { config_status: 'validating' } }
    case ConfigApplyStatus.APPLYING:
      return { kind: 'progress', digest: subject.digest, changes: { config_status: 'applying' } }
    case ConfigApplyStatus.SUCCESS: {
      const applied = { applied_version: subject.version, applied_digest: subject.digest, rejected_digest: null }
      const findings = findingsOf(status)
      const changes = { ...applied, config_status: 'success', config_error: null, findings }
      const attempt = { ...subject, ...timesOf(status), status: 'success', error: null, findings } as const
      return { kind: 'final', digest: subject.digest, success: true, changes, attempt }
    }
    case ConfigApplyStatus.FAILED:
    case ConfigApplyStatus.ROLLED_BACK: {
      const word = status.status === ConfigApplyStatus.FAILED ? 'failed' : 'rolled_back'
      const reason = error === '' ? 'the agent gave no reason' : error
      const findings = findingsOf(status)
      const changes = { rejected_digest: subject.digest, config_status: word, config_error: reason, findings }
      const attempt = { ...subject, ...timesOf(status), status: word, error: reason, findings } as const
      return { kind: 'final', digest: subject.digest, success: false, changes, attempt }
    }
    default:
      return { kind: 'malformed', field: 'status', reason: 'is not one of the contract' }
  }
}

function subjectOf(status: ConfigStatus, version: number, offered: Offer | undefined): { version: number; digest: string } | undefined {
  if (status.configChecksum !== '') {
    const known = offered?.digest === status.configChecksum ? offered.version : version
    return { version: known, digest: status.configChecksum }
  }
  if (!offered) return undefined
  const matches = status.configId === '' ? version === offered.version : status.configId === offered.configId
  return matches ? { version: offered.version, digest: offered.digest } : undefined
}

const latest = Date.parse('9999-12-31T23:59:59Z')

function timesOf({ durationMs, appliedAt }: ConfigStatus): { duration_ms: number; applied_at: number } {
  const applied_at = Number(appliedAt)
  return { duration_ms: durationMs, applied_at: applied_at > 0 && applied_at <= latest ? applied_at : 0 }
}

function findingsOf(status: ConfigStatus): string {
  // Agents of earlier releases send all that they have; what became of the config counts all the same.
  return JSON.stringify(status.findings.slice(0, mostFindings).flatMap((wire) => readFinding(wire) ?? []))
}

function readFinding(wire: WireFinding): Finding | undefined {
  const text = (value: string) => (value === '' ? undefined : value.slice(0, longestError))
  const read = finding.safeParse({
    severity: wire.severity,
    message: wire.message.slice(0, longestError),
    kind: text(wire.kind),
    id: text(wire.id),
    name: text(wire.name),
    field: text(wire.field),
    file: text(wire.file),
    line: wire.line === 0 ? undefined : wire.line,
  })
  return read.success ? read.data : undefined
}
