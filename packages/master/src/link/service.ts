import { type ServerDuplexStream, type ServerUnaryCall, type sendUnaryData, status } from '@grpc/grpc-js'
import type { DisconnectReason } from '@nxmesh/api/events'
import type { AgentMessage, HealthReportSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { type Ctx, timestamp } from '../ctx.ts'
import { desiredOf, labelsOf } from '../rollout/desired.ts'
import type { Connections } from './connections.ts'
import type { AckReply, Incoming, IncomingMetrics, IncomingOfStream } from './definition.ts'
import { frame } from './frames.ts'
import { readHealth } from './health.ts'
import { readClaim, refuseClaim } from './identity.ts'
import { invalidArgument, type Refusal } from './refusal.ts'
import { register } from './register.ts'
import { openSession, type Session } from './session.ts'

type Stream = ServerDuplexStream<IncomingOfStream, Buffer>
type Unary<Request> = ServerUnaryCall<Request, AckReply>

export interface Link {
  ctx: Ctx
  connections: Connections
  heartbeatSeconds: number
  /** How long a stream may wait with its registration, in milliseconds. */
  registrationTimeout: number
}

// How long a stream that was ended may take to carry the reason to its peer before its connection goes.
const farewell = 1000
// By the code of what ended the stream.
const departures: Record<string, DisconnectReason> = {
  HEARTBEAT_TIMEOUT: 'connection_timeout',
  SESSION_REVOKED: 'revoked',
  SESSION_REPLACED: 'replaced',
  MASTER_STOPPING: 'master_stopped',
}
const notRegistered = invalidArgument('registration', 'must be the first message of the stream')
const malformed = invalidArgument('message', 'is not an AgentMessage')

/** Serves the stream of one agent: its registration first, then what it reports. */
export function handleStream(link: Link, stream: Stream): void {
  const { ctx } = link
  const connection = link.connections.of(stream.getPeer())
  let session: Session | undefined
  let registering = false
  let ended = false

  const deadline = setTimeout(() => {
    refuse({ status: status.DEADLINE_EXCEEDED, code: 'REGISTRATION_TIMEOUT', message: 'no registration came in time' })
  }, link.registrationTimeout)

  // A refused registration is answered twice, for agents that look for either: by Error, which carries the code, and by a
  // RegistrationResponse without success. The status of the stream follows.
  function refuse(refusal: Refusal, ofRegistration = false) {
    if (ended) return
    ctx.log.info({ code: refusal.code, reason: refusal.message, address: connection?.address }, 'agent refused')
    endStream(refusal, ofRegistration)
  }

  function endStream(refusal: Refusal, ofRegistration = false) {
    if (ended) return
    leave(departures[refusal.code] ?? 'refused')
    const { code, message, details = {} } = refusal
    stream.write(frame({ case: 'error', value: { code, message, details } }))
    if (ofRegistration) stream.write(frame({ case: 'registrationResponse', value: { success: false, errorMessage: message } }))
    stream.emit('error', Object.assign(new Error(message), { code: refusal.status, details: message }))
    const last = setTimeout(() => connection?.destroy(), farewell)
    stream.once('cancelled', () => clearTimeout(last))
  }

  function leave(reason: DisconnectReason) {
    if (ended) return
    ended = true
    clearTimeout(deadline)
    if (!session) return
    connection?.close()
    session.closed()
    if (!ctx.sessions.leave(session)) return
    ctx.agentWrites.reconnect(session.agentId, { connected: 0 }, { ended: reason })
    ctx.agentWrites.release(session.agentId)
    ctx.log.info({ agent_id: session.agentId, reason }, 'agent disconnected')
  }

  async function begin(message: AgentMessage) {
    if (message.payload.case !== 'registration') return refuse(notRegistered)
    registering = true
    stream.pause()
    const outcome = await register(ctx, {
      request: message.payload.value,
      agentId: message.agentId,
      connection,
      heartbeatSeconds: link.heartbeatSeconds,
      isOpen: () => !ended,
      open: (peer) => {
        clearTimeout(deadline)
        connection?.open()
        session = openSession(ctx, peer, stream, endStream)
        return session
      },
    })
    registering = false
    if (outcome === undefined || ended) return
    if ('status' in outcome) return refuse(outcome, true)
    ctx.log.info({ agent_id: outcome.row.id, address: connection?.address }, 'agent connected')
    stream.resume()
    outcome.session.consider(await desiredOf(ctx, outcome.row), labelsOf(outcome.row))
  }

  stream.on('data', (incoming: IncomingOfStream) => {
    if (ended) return
    if (incoming.kind === 'malformed') return refuse(malformed)
    if (session) {
      const refusal = incoming.kind === 'telemetry' ? receiveTelemetry(ctx, session, incoming) : receive(ctx, session, incoming.message)
      if (refusal) session.end(refusal)
    } else if (!registering && incoming.kind === 'telemetry') {
      refuse(notRegistered)
    } else if (!registering && incoming.kind === 'message') {
      begin(incoming.message).catch((error: unknown) => {
        ctx.log.error({ err: error, agent_id: session?.agentId }, 'agent could not be registered')
        endStream({ status: status.INTERNAL, code: 'INTERNAL_ERROR', message: 'the master could not do this now' })
      })
    }
  })
  stream.once('end', () => {
    leave('closed_by_agent')
    stream.end()
  })
  stream.once('cancelled', () => leave('connection_lost'))
}

// What an agent says once it is registered. A refusal ends the session.
function receive(ctx: Ctx, session: Session, message: AgentMessage): Refusal | undefined {
  const refused = greet(session, message)
  if (refused) return refused
  const { payload } = message
  const id = message.timestamp.toString()
  switch (payload.case) {
    case 'registration':
      return invalidArgument('registration', 'must be sent once')
    case 'health':
      session.ack(id, session.onHealth(payload.value))
      return undefined
    case 'configStatus':
      session.onConfigStatus(payload.value)
      return undefined
    case 'metrics':
    case 'logs':
      // Telemetry is passed on as it came; this is none.
      return malformed
    case 'event':
      session.ack(payload.value.eventId || id, count(ctx, session.onEvent(payload.value), 'events', 1))
      return undefined
    case 'certificateSigningRequest':
      renewCertificate(ctx, session, payload.value.der)
      return undefined
    default:
      // A message of a later contract is none of this master's business.
      return payload.case satisfies undefined
  }
}

function greet(session: Session, { agentId, timestamp: time }: { agentId: string; timestamp: bigint }): Refusal | undefined {
  session.hear()
  if (agentId !== '' && agentId !== session.agentId) {
    return { status: status.PERMISSION_DENIED, code: 'AGENT_MISMATCH', message: 'agent_id is not the agent of this session' }
  }
  // In which unit an agent that is not ours counts is its own affair: its time is told back to it, and believed in nothing.
  return time < 0n ? invalidArgument('timestamp', 'must not be negative') : undefined
}

// Acknowledged once it is durable. Nothing waits for it meanwhile.
function receiveTelemetry(ctx: Ctx, session: Session, incoming: Extract<IncomingOfStream, { kind: 'telemetry' }>): Refusal | undefined {
  const refused = greet(session, incoming)
  if (refused) return refused
  void store(ctx, session.agentId, incoming.batch, incoming.bytes).then((reason) => session.ack(incoming.timestamp.toString(), reason))
  return undefined
}

async function store(ctx: Ctx, agentId: string, kind: 'logs' | 'metrics', bytes: Uint8Array): Promise<string | undefined> {
  const taken = await ctx.telemetry.take({ kind, agentId, bytes, receivedAt: ctx.now() })
  return count(ctx, taken.ok ? undefined : taken.reason, kind === 'logs' ? 'log_entries' : 'metrics', taken.ok ? taken.rows : 0)
}

function count(ctx: Ctx, refused: string | undefined, kind: 'metrics' | 'log_entries' | 'events', amount: number): string | undefined {
  if (refused === undefined) ctx.sessions.received[kind] += amount
  else ctx.sessions.received.refused++
  return refused
}

function renewCertificate(ctx: Ctx, session: Session, der: Uint8Array): void {
  ctx.authority.issueAgentCertificate(der, session.agentId).then(
    (chainPem) => {
      if (chainPem !== undefined) return session.send(frame({ case: 'issuedCertificate', value: { chainPem } }))
      session.end(invalidArgument('certificate_signing_request.der', 'must be PKCS #10 and prove its key'))
    },
    (error: unknown) => ctx.log.error({ err: error, agent_id: session.agentId }, 'certificate could not be issued'),
  )
}

/** Takes a health report outside a session. */
export function handleHealth(link: Link, call: Unary<Incoming<typeof HealthReportSchema>>, reply: sendUnaryData<AckReply>): void {
  const { ctx } = link
  answer(link, call, reply, (agentId, report) => {
    const session = ctx.sessions.get(agentId)
    session?.hear()
    if (session) return session.onHealth(report)
    const read = readHealth(report)
    if (!read.ok) return read.reason
    ctx.agentWrites.change(agentId, { health: JSON.stringify(read.reading.health), last_seen_at: timestamp(ctx) })
    return undefined
  })
}

/** Takes a batch of metrics outside a session; success means that it is durable. */
export function handleMetrics(link: Link, call: Unary<IncomingMetrics>, reply: sendUnaryData<AckReply>): void {
  answer(link, call, reply, (agentId, { bytes }) => {
    link.ctx.sessions.get(agentId)?.hear()
    return store(link.ctx, agentId, 'metrics', bytes)
  })
}

function answer<M>(
  link: Link,
  call: Unary<{ kind: 'message'; message: M } | { kind: 'malformed' }>,
  reply: sendUnaryData<AckReply>,
  take: (agentId: string, message: M) => string | undefined | Promise<string | undefined>,
): void {
  const { request } = call
  if (request.kind === 'malformed') return fail(reply, malformed)
  authenticate(link, call).then(
    async (caller) => {
      if (typeof caller !== 'string') return fail(reply, caller)
      const refused = await take(caller, request.message)
      reply(null, { messageId: ackId(request.message), success: refused === undefined, errorMessage: refused ?? '' })
    },
    (error: unknown) => {
      link.ctx.log.error({ err: error }, 'call of an agent failed')
      fail(reply, { status: status.INTERNAL, code: 'INTERNAL_ERROR', message: 'the master could not do this now' })
    },
  )
}

// A batch of metrics has a timestamp that can name it; a health report has none.
function ackId(message: unknown): string {
  const { timestamp: time } = message as { timestamp?: bigint }
  return time === undefined ? '' : time.toString()
}

async function authenticate({ ctx, connections }: Link, call: Unary<unknown>): Promise<string | Refusal> {
  const connection = connections.of(call.getPeer())
  const bearer = /^Bearer (\S+)$/i.exec(String(call.metadata.get('authorization')[0] ?? ''))
  const claim = readClaim(ctx.authority, connection?.certificate(), bearer?.[1] ?? '')
  if ('status' in claim) return claim
  const row = await ctx.db.selectFrom('agents').selectAll().where('id', '=', claim.agentId).executeTakeFirst()
  const refused = refuseClaim(claim, row, ctx.now())
  if (refused) return refused
  connection?.trust()
  return claim.agentId
}

function fail(reply: sendUnaryData<AckReply>, refusal: Refusal): void {
  reply({ code: refusal.status, details: refusal.message })
}
