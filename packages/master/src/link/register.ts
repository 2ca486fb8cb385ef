import { status } from '@grpc/grpc-js'
import { capability } from '@nxmesh/proto/capability'
import type { RegistrationRequest } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { AgentFacts } from '../agent-writes.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import type { AgentRow } from '../db/schema.ts'
import type { Connection } from './connections.ts'
import { frame } from './frames.ts'
import { readClaim, refuseClaim } from './identity.ts'
import { invalidArgument, type Refusal, unauthenticated } from './refusal.ts'
import { type Registration, readRegistration } from './registration.ts'
import type { Peer, Session } from './session.ts'

export interface Newcomer {
  request: RegistrationRequest
  /** The agent id in the envelope, if any. */
  agentId: string
  connection: Connection | undefined
  heartbeatSeconds: number
  /** Whether the stream is still there. */
  isOpen(): boolean
  /** Makes the session once everything is well. */
  open(peer: Peer): Session
}

/** Registers an agent: checks who it is and what it says, puts its session in the place of an older one and answers. Undefined when the stream ended meanwhile. */
export async function register(ctx: Ctx, newcomer: Newcomer): Promise<{ session: Session; row: AgentRow } | Refusal | undefined> {
  const certificate = newcomer.connection?.certificate()
  const claim = readClaim(ctx.authority, certificate, newcomer.request.token)
  if ('status' in claim) return claim
  if (newcomer.agentId !== '' && newcomer.agentId !== claim.agentId) {
    return {
      status: status.PERMISSION_DENIED,
      code: 'AGENT_MISMATCH',
      message: 'agent_id is not the agent that the credentials name',
      details: { agent_id: 'is not the agent that the credentials name' },
    }
  }
  using arrival = ctx.sessions.arrive(claim.agentId)
  // What an earlier session learned last must be in the row that is read now.
  await ctx.agentWrites.flush(claim.agentId)
  const row = await ctx.db.selectFrom('agents').selectAll().where('id', '=', claim.agentId).executeTakeFirst()
  const refused = refuseClaim(claim, row, ctx.now())
  if (refused || !row) return refused ?? unauthenticated('TOKEN_INVALID', 'the token is not valid')
  const registration = readRegistration(newcomer.request)
  if ('status' in registration) return registration
  const peer = {
    agentId: row.id,
    workspaceId: row.workspace_id,
    certificatesValidFrom: row.certificates_valid_from,
    machineId: registration.machine_id,
    bootId: registration.boot_id,
  }
  const csr = newcomer.request.certificateSigningRequest
  if (claim.kind === 'certificate' && claim.expired && csr.length === 0) {
    return unauthenticated('CERTIFICATE_EXPIRED', 'the certificate expired; it is good only for asking for a new one')
  }
  const chainPem = csr.length === 0 ? undefined : await ctx.authority.issueAgentCertificate(csr, row.id)
  if (csr.length > 0 && chainPem === undefined) return invalidArgument('certificate_signing_request', 'must be PKCS #10 and prove its key')
  // From here to the end nothing waits, so a cut finds either the arrival or the session.
  if (!newcomer.isOpen()) return undefined
  if (arrival.cut !== undefined) return unauthenticated('SESSION_REVOKED', arrival.cut)
  const cloned = ctx.sessions.refuseClone(peer, row.machine_id)
  if (cloned) {
    ctx.log.warn({ agent_id: row.id, hostname: registration.hostname, address: newcomer.connection?.address }, cloned.message)
    return cloned
  }

  ctx.agentWrites.hold(row)
  const arrived = {
    ...described(registration, row, newcomer.connection?.address ?? ''),
    registered_at: row.registered_at ?? timestamp(ctx),
    upgraded_at: row.upgraded_at ?? (claim.kind === 'certificate' ? timestamp(ctx) : null),
    connected: 1,
    last_seen_at: timestamp(ctx),
    heartbeat_interval_seconds: newcomer.heartbeatSeconds,
  }
  ctx.agentWrites.reconnect(row.id, arrived, { began: true })
  const session = newcomer.open(peer)
  ctx.sessions.admit(session)
  session.send(
    frame({
      case: 'registrationResponse',
      value: {
        agentId: row.id,
        success: true,
        heartbeatIntervalSeconds: BigInt(newcomer.heartbeatSeconds),
        capability,
        ...(chainPem !== undefined && { issuedCertificate: { chainPem } }),
      },
    }),
  )
  return { session, row: { ...row, capability: registration.capability, reported_labels: JSON.stringify(registration.labels) } }
}

function described(registration: Registration, row: AgentRow, address: string): Partial<AgentFacts> {
  return {
    machine_id: registration.machine_id || row.machine_id,
    boot_id: registration.boot_id,
    hostname: registration.hostname,
    ip_address: registration.ip_address || address.replace(/^::ffff:/, ''),
    agent_version: registration.version,
    deployment_mode: registration.deployment_mode,
    capabilities: JSON.stringify(registration.capabilities),
    capability: registration.capability,
    reported_labels: JSON.stringify(registration.labels),
    ...(registration.capability > 0 && configFacts(registration, row)),
  }
}

// What an agent of ours says at its start is the truth about its config; the row only knows what was said last time.
function configFacts({ applied, rejected_digest }: Registration, row: AgentRow): Partial<AgentFacts> {
  const finished = row.config_status === 'success' || row.config_status === 'failed' || row.config_status === 'rolled_back'
  const reached = applied !== null && applied.digest === row.sent_digest
  return {
    applied_version: applied === null ? null : applied.digest === row.applied_digest ? row.applied_version : applied.version,
    applied_digest: applied?.digest ?? null,
    // Known again with its first health report: nginx may have ended, or been started by hand, while nobody looked.
    serving_digest: null,
    // An agent that has nothing at all, as after the loss of its disk, gets another chance with what it refused once.
    rejected_digest: rejected_digest ?? (applied === null ? null : row.rejected_digest),
    ...(!finished && { config_status: reached ? 'success' : 'unknown' }),
  }
}
