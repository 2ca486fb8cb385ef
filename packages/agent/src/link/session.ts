import { randomUUID } from 'node:crypto'
import type { MasterMessage, RegistrationResponse } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import type { CommandResult } from '../commands.ts'
import type { FoundCertificate } from '../found-certificates.ts'
import type { StatusReport } from '../ledger.ts'
import type { Credentials, Trust } from '../trust.ts'
import { configOf } from './convert.ts'
import { wireFound } from './found.ts'
import { grpcStatus } from './grpc.ts'
import { commandOf, configStatus, healthReport } from './messages.ts'
import type { LinkParts } from './parts.ts'
import { registrationOf } from './registration.ts'
import { openStream } from './stream.ts'

export type SessionEnd =
  /** The master does not know this agent (any more): asking often would not help. */
  { kind: 'refused'; message: string; registered: boolean } | { kind: 'lost'; message: string; registered: boolean }

export interface Session {
  report(status: StatusReport): void
  sendHealth(): Promise<void>
  event(type: string, data: Record<string, string>): void
}

// Asking again soon would not help: only a person can change these.
const hopeless: ReadonlySet<number> = new Set([grpcStatus.unauthenticated, grpcStatus.permissionDenied, grpcStatus.alreadyExists])
const registrationTimeoutMs = 15_000
const renewalPauseMs = 60_000
const defaultHeartbeatSeconds = 30
/** Heartbeats without an answer after which the session is lost. */
const patience = 3
// From here on a master takes requests as rows.
const rowsCapability = 4

/** Runs one session with the master from its registration to its end. `ready` is called once the master has accepted the agent. */
export async function runSession(
  parts: LinkParts,
  trust: Trust,
  using: Credentials,
  ready: (session: Session) => void,
  signal: AbortSignal,
): Promise<SessionEnd> {
  const { log, options } = parts
  const registration = await registrationOf(parts, trust, using)
  let agentId = ''
  let heardAt = performance.now()
  // Reports since anything was heard. Not the time alone: a machine that stood still finds what has come meanwhile only after its timers.
  let unanswered = 0
  let registered = false
  let words = ''
  let heartbeatMs = defaultHeartbeatSeconds * 1000
  let askedForCertificate = Number.NEGATIVE_INFINITY
  const { promise: ended, resolve: end } = Promise.withResolvers<SessionEnd>()
  let inbox = Promise.resolve()
  using stream = openStream(options.master, using, () => agentId, {
    message(message) {
      heardAt = performance.now()
      unanswered = 0
      inbox = inbox
        .then(() => onMessage(message))
        .catch((cause: Error) => log('error', 'a message of the master could not be handled', { error: cause.message }))
    },
    drain: () => parts.telemetry.drained(),
    end({ code, message }) {
      const text = words || message || (code === grpcStatus.ok ? 'the master ended the session' : `gRPC status ${code}`)
      end({ kind: hopeless.has(code) ? 'refused' : 'lost', message: text, registered })
    },
  })
  const timers = new Set<NodeJS.Timeout>()
  let measuring = Promise.resolve()
  let next: Promise<void> | undefined
  let toldFound: FoundCertificate[] | undefined

  // One after the other, or a report could be overtaken by one that was begun before it; whoever asks gets one that begins later.
  function sendHealth(): Promise<void> {
    next ??= measuring
      .catch(() => undefined)
      .then(() => {
        measuring = next ?? measuring
        next = undefined
        return measureHealth()
      })
    return next
  }

  async function measureHealth(): Promise<void> {
    const value = healthReport(await parts.health())
    unanswered++
    const found = parts.found()
    // Told once a session, and when it has changed.
    if (found && found !== toldFound) value.foundCertificates = wireFound(found)
    if (stream.send({ case: 'health', value }, 'telemetry')) toldFound = found
  }

  async function heartbeat(): Promise<void> {
    const silence = performance.now() - heardAt
    if (unanswered >= patience && silence > patience * heartbeatMs)
      return end({ kind: 'lost', message: `the master was silent for ${Math.round(silence / 1000)} s`, registered })
    await sendHealth()
    if (performance.now() - askedForCertificate > renewalPauseMs && (await trust.renewalDue())) {
      askedForCertificate = performance.now()
      stream.send({ case: 'certificateSigningRequest', value: { der: await trust.request() } })
    }
  }

  function beat(): void {
    heartbeat().catch((cause: Error) => log('error', 'a health report could not be made', { error: cause.message }))
  }

  function report(status: StatusReport): void {
    stream.send({ case: 'configStatus', value: configStatus(status) })
    // What the workers serve has just changed, or was put back; the next heartbeat would tell late.
    if (status.status === 'success' || status.status === 'rolled_back') beat()
  }

  async function keepCertificate(chain: string): Promise<void> {
    await trust.keep(chain).catch((cause: Error) => log('error', 'the client certificate could not be kept', { error: cause.message }))
  }

  async function onRegistered(response: RegistrationResponse): Promise<void> {
    if (!response.success) {
      words = response.errorMessage || 'the master refused the registration'
      return end({ kind: 'refused', message: words, registered })
    }
    agentId = response.agentId
    const seconds = Number(response.heartbeatIntervalSeconds)
    if (seconds > 0) heartbeatMs = seconds * 1000
    if (response.issuedCertificate) await keepCertificate(response.issuedCertificate.chainPem)
    await parts.onIdentity(agentId)
    registered = true
    ready({ report, sendHealth, event })
    const last = parts.applied().report
    if (last) stream.send({ case: 'configStatus', value: configStatus(last) })
    timers.add(setInterval(beat, heartbeatMs))
    beat()
    parts.telemetry.opened((kind, bytes) => stream.sendBatch(kind, bytes), response.capability >= rowsCapability)
  }

  async function onMessage({ payload }: MasterMessage): Promise<void> {
    switch (payload.case) {
      case 'registrationResponse':
        return onRegistered(payload.value)
      case 'configUpdate': {
        const { configId, version, configChecksum } = payload.value
        return parts.onConfig({
          config_id: configId,
          version: Number(version),
          digest: configChecksum,
          config: () => configOf(payload.value),
        })
      }
      case 'command': {
        const { commandId, command } = payload.value
        const known = commandOf(command)
        const answer: CommandResult | Promise<CommandResult> = known
          ? parts.onCommand(commandId, known)
          : { success: false, message: 'this agent does not know the command' }
        // Not awaited here: a command may take long, and a newer config must not wait for it.
        void Promise.resolve(answer).then(({ success, message, data }) =>
          event('command.result', { ...data, command_id: commandId, success: String(success), message }),
        )
        return
      }
      case 'issuedCertificate':
        return keepCertificate(payload.value.chainPem)
      case 'error': {
        const { code, message } = payload.value
        words = code ? `${message} (${code})` : message
        log('error', 'the master reports an error', { code, error: message })
        return
      }
      case 'ack':
        if (parts.telemetry.answered(payload.value.messageId, payload.value.success, payload.value.errorMessage)) return
        if (!payload.value.success) log('warn', 'the master did not take a message', { error: payload.value.errorMessage })
        return
      case undefined:
        return
      default:
        return payload satisfies never
    }
  }

  function event(eventType: string, data: Record<string, string>): void {
    stream.send({ case: 'event', value: { eventId: randomUUID(), eventType, timestamp: BigInt(Date.now()), data } })
  }

  const stop = () => end({ kind: 'lost', message: 'the agent is stopping', registered })
  signal.addEventListener('abort', stop)
  timers.add(
    setTimeout(() => {
      if (!registered) end({ kind: 'lost', message: 'the master did not answer the registration', registered })
    }, registrationTimeoutMs),
  )
  stream.send({ case: 'registration', value: registration })
  try {
    return await ended
  } finally {
    parts.telemetry.closed()
    signal.removeEventListener('abort', stop)
    for (const timer of timers) clearInterval(timer)
  }
}
