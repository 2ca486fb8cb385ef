import { randomUUID } from 'node:crypto'
import { status } from '@grpc/grpc-js'
import type { Labels } from '@nxmesh/model/labels'
import type { ConfigStatus, Event, HealthReport } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { applyRow } from '../applies.ts'
import { type Ctx, timestamp } from '../ctx.ts'
import { shouldOffer } from '../rollout/decide.ts'
import type { Desired } from '../rollout/desired.ts'
import { rotationIn } from '../upstream-health.ts'
import { type Offer, readConfigStatus } from './config-status.ts'
import { openFoundWriter } from './found-writer.ts'
import { type AgentCommand, commandFrame, frame } from './frames.ts'
import { readHealth } from './health.ts'
import { openOutbox, type Writer } from './outbox.ts'
import type { Refusal } from './refusal.ts'
import { readServerEvent } from './server-event.ts'

export type CommandOutcome =
  | { kind: 'answered'; success: boolean; message: string; data: Readonly<Record<string, string>> }
  | { kind: 'offline' }
  | { kind: 'unanswered' | 'cut' }

/** The stream of one agent, from its registration to its end. */
export interface Session {
  readonly agentId: string
  readonly workspaceId: string
  readonly certificatesValidFrom: string | null
  readonly machineId: string
  readonly bootId: string
  /** When the agent was last heard of, on the clock of performance.now(). */
  readonly heardAt: number
  hear(): void
  send(message: Buffer): void
  ack(messageId: string, error?: string): void
  /** Takes note of what the agent with these labels must run now and offers it if that is due and no other config is on its way. */
  consider(desired: Desired, labels: Labels): void
  /** Forgets that the agent refused its config. */
  forgetRejection(): void
  command(command: AgentCommand, timeoutMs: number): Promise<CommandOutcome>
  onHealth(report: HealthReport): string | undefined
  onConfigStatus(report: ConfigStatus): void
  onEvent(event: Event): string | undefined
  /** Says why and ends the stream. What waits is not sent. */
  end(refusal: Refusal): void
  /** Lets go of everything, once the stream has ended. */
  closed(): void
}

export interface Peer {
  agentId: string
  /** From when its certificates were valid as the session began; revoking it later changes that. */
  certificatesValidFrom: string | null
  workspaceId: string
  machineId: string
  bootId: string
}

// Zero is also what an agent sends that says nothing about its version.
function saysItRuns(version: number, offered: Offer): boolean {
  return version > 0 && version === offered.version
}

const words = { down: 'a server of an upstream fails its health checks', up: 'a server of an upstream passes its health checks again' }

// An agent reports each step of an apply, so silence this long means that the config or its answer was lost.
const answerTimeout = 120_000
// An agent that is not ours may never answer; a newer config does not wait long for it.
const foreignAnswerTimeout = 10_000

export function openSession(ctx: Ctx, peer: Peer, stream: Writer, endStream: (refusal: Refusal) => void): Session {
  const { agentId } = peer
  const log = ctx.log.child({ agent_id: agentId })
  const outbox = openOutbox(stream, ctx.sessions.gate, () =>
    end({ status: status.RESOURCE_EXHAUSTED, code: 'RESOURCE_EXHAUSTED', message: 'the agent does not read what it is sent' }),
  )
  let heardAt = performance.now()
  let wanted: Desired | undefined
  // The labels that led to it, as JSON.
  let wantedLabels = '{}'
  let offered: Offer | undefined
  let inFlightSince: number | undefined
  let waiting: Map<string, (outcome: CommandOutcome) => void> | undefined
  let over = false
  const foundWriter = openFoundWriter(ctx, agentId)

  function offerIfDue() {
    const facts = ctx.agentWrites.facts(agentId)
    if (over || !wanted || !facts) return
    if (inFlightSince !== undefined) {
      const limit = facts.capability === 0 ? foreignAnswerTimeout : answerTimeout
      if (performance.now() - inFlightSince < limit) return
      log.warn({ version: offered?.version }, 'the agent did not say what became of its config')
      inFlightSince = undefined
    }
    if (!shouldOffer(facts, wanted.digest, offered?.digest)) return
    const { version, digest, configId } = wanted
    offered = { version, digest, configId }
    inFlightSince = performance.now()
    outbox.config(wanted.frame())
    ctx.agentWrites.change(agentId, { sent_version: version, sent_digest: digest, sent_labels: wantedLabels, config_status: 'pending' })
    log.debug({ version, digest }, 'config offered')
  }

  // So that what it runs can be found again when its labels are others.
  function labelsApplied(digest: string): { applied_labels?: string | null } {
    const facts = ctx.agentWrites.facts(agentId)
    if (!facts || facts.applied_digest === digest) return {}
    return { applied_labels: facts.sent_digest === digest ? facts.sent_labels : null }
  }

  function concluded(digest: string) {
    if (digest === offered?.digest) inFlightSince = undefined
    offerIfDue()
  }

  function end(refusal: Refusal) {
    if (over) return
    over = true
    outbox.close()
    endStream(refusal)
  }

  return {
    ...peer,
    get heardAt() {
      return heardAt
    },
    hear() {
      heardAt = performance.now()
    },
    send: (message) => outbox.urgent(message),
    ack(messageId, error) {
      const outcome = error === undefined ? { success: true } : { success: false, errorMessage: error }
      outbox.ack(frame({ case: 'ack', value: { messageId, ...outcome } }))
    },
    consider(desired, labels) {
      const facts = ctx.agentWrites.facts(agentId)
      // What it runs is leaving: the newest version that asked for just this is known now and could not be found out later.
      if (facts && wanted && wanted.digest === facts.applied_digest && desired.digest !== wanted.digest) {
        ctx.agentWrites.change(agentId, { applied_version: wanted.version, applied_labels: wantedLabels })
      }
      wanted = desired
      wantedLabels = JSON.stringify(labels)
      offerIfDue()
    },
    forgetRejection() {
      ctx.agentWrites.change(agentId, { rejected_digest: null })
      // Also an agent that echoes no digest is to get it once more.
      if (inFlightSince === undefined) offered = undefined
      offerIfDue()
    },

    async command(command, timeoutMs) {
      const commandId = randomUUID()
      const { promise, resolve } = Promise.withResolvers<CommandOutcome>()
      waiting ??= new Map()
      waiting.set(commandId, resolve)
      outbox.urgent(commandFrame(commandId, command))
      const timer = setTimeout(() => resolve({ kind: 'unanswered' }), timeoutMs)
      const outcome = await promise
      clearTimeout(timer)
      waiting.delete(commandId)
      // Who waited for the answer may read at once what the agent reported before it.
      if (outcome.kind === 'answered') await ctx.agentWrites.flush(agentId)
      return outcome
    },

    onHealth(report) {
      const read = readHealth(report)
      if (!read.ok) return read.reason
      const { reading } = read
      if (reading.found) foundWriter.write(reading.found)
      const facts = ctx.agentWrites.facts(agentId)
      const changes = {
        health: JSON.stringify(reading.health),
        last_seen_at: timestamp(ctx),
        drift: reading.drift,
        nginx: reading.nginx && JSON.stringify(reading.nginx),
        alerts: JSON.stringify(reading.alerts),
      }
      const serving = reading.serving_digest === null ? {} : { serving_digest: reading.serving_digest }
      // People wait for what is served to change; the rest of a report may wait for the next beat.
      const isServingOther = 'serving_digest' in serving && serving.serving_digest !== facts?.serving_digest
      const urgency = isServingOther || rotationIn(changes.health) !== rotationIn(facts?.health ?? null) ? 'now' : 'soon'
      if (reading.config_digest !== null && (facts?.capability ?? 0) > 0) {
        const version = reading.config_digest === facts?.applied_digest ? facts.applied_version : reading.config_version
        ctx.agentWrites.change(
          agentId,
          {
            ...changes,
            ...serving,
            applied_digest: reading.config_digest,
            applied_version: version,
            ...labelsApplied(reading.config_digest),
          },
          urgency,
        )
      } else if (facts?.capability === 0 && inFlightSince !== undefined && offered && saysItRuns(reading.config_version, offered)) {
        // It answers no ConfigStatus, but says that it runs what it was sent.
        const applied = { applied_version: offered.version, applied_digest: offered.digest, rejected_digest: null }
        const { version, digest } = offered
        const attempt = { version, digest, status: 'success', error: null, findings: '[]', duration_ms: 0, applied_at: 0 } as const
        ctx.agentWrites.record(applyRow(ctx, agentId, attempt))
        ctx.agentWrites.change(agentId, {
          ...changes,
          ...applied,
          ...labelsApplied(offered.digest),
          config_status: 'success',
          config_error: null,
          findings: '[]',
        })
        concluded(offered.digest)
      } else {
        ctx.agentWrites.change(agentId, { ...changes, ...serving }, urgency)
      }
      if (inFlightSince === undefined) offerIfDue()
      return undefined
    },

    onConfigStatus(report) {
      const read = readConfigStatus(report, offered)
      switch (read.kind) {
        case 'malformed':
          log.warn({ field: read.field, reason: read.reason }, 'config status refused')
          return
        case 'unknown':
          log.debug({ config_id: report.configId.slice(0, 200) }, 'config status for a config that was not offered')
          return
        case 'progress':
          if (inFlightSince !== undefined && read.digest === offered?.digest) inFlightSince = performance.now()
          ctx.agentWrites.change(agentId, { ...read.changes, last_seen_at: timestamp(ctx) })
          return
        case 'final':
          ctx.agentWrites.record(applyRow(ctx, agentId, read.attempt))
          ctx.agentWrites.change(agentId, {
            ...read.changes,
            ...(read.success && labelsApplied(read.digest)),
            last_seen_at: timestamp(ctx),
          })
          log.info({ digest: read.digest, success: read.success }, read.success ? 'config applied' : 'config refused')
          concluded(read.digest)
          return
        default:
          return read satisfies never
      }
    },

    onEvent(event) {
      const change = readServerEvent(event)
      if (change?.kind === 'malformed') return change.reason
      if (change) {
        log[change.kind === 'down' ? 'warn' : 'info']({ upstream_id: change.upstream_id, address: change.address }, words[change.kind])
        return undefined
      }
      if (event.eventType !== 'command.result') return undefined
      const { command_id: commandId, success, message, ...data } = event.data
      if (commandId === undefined) return 'data.command_id is required'
      if (success !== 'true' && success !== 'false') return 'data.success must be "true" or "false"'
      waiting?.get(commandId)?.({ kind: 'answered', success: success === 'true', message: (message ?? '').slice(0, 65_536), data })
      return undefined
    },

    end,
    closed() {
      over = true
      outbox.close()
      foundWriter.close()
      for (const resolve of waiting?.values() ?? []) resolve({ kind: 'cut' })
      wanted = undefined
    },
  }
}
