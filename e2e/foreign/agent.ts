import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { type Client, createClient } from '@connectrpc/connect'
import { createGrpcTransport, Http2SessionManager } from '@connectrpc/connect-node'
import { type AgentMessage, AgentMessageSchema, AgentService, type MasterMessage, type RegistrationRequestSchema } from './gen/agent_pb.ts'

type Payload = NonNullable<MessageInitShape<typeof AgentMessageSchema>['payload']>
type Case = NonNullable<MasterMessage['payload']['case']>
type ValueOf<C extends Case> = Extract<MasterMessage['payload'], { case: C }>['value']

export interface ForeignOptions {
  host?: string
  port: number
  caPem: string
  /** A client certificate, for those that have one. */
  certificate?: { cert: string; key: string }
}

/** An agent as somebody would write it who has only the published contract: Connect's gRPC client, none of our code. */
export interface ForeignAgent extends AsyncDisposable {
  /** Messages of the master in the order they came. */
  readonly received: MasterMessage['payload'][]
  /** How the stream ended, once it has. */
  readonly ended: Promise<unknown>
  send(payload: Payload, agentId?: string, timestamp?: bigint): void
  /** Ends the agent's half of the stream. */
  finish(): void
  /** Resolves with the next message of a kind that `next` has not returned yet; rejects when the stream ends before. */
  next<C extends Case>(kind: C, seconds?: number): Promise<ValueOf<C>>
  register(registration: MessageInitShape<typeof RegistrationRequestSchema>): Promise<ValueOf<'registrationResponse'>>
  unary: Client<typeof AgentService>
}

export function connectForeign(options: ForeignOptions): ForeignAgent {
  const base = `https://${options.host ?? '127.0.0.1'}:${options.port}`
  const nodeOptions = { ca: options.caPem, ...options.certificate }
  const sessions = new Http2SessionManager(base, {}, nodeOptions)
  const unary = createClient(AgentService, createGrpcTransport({ baseUrl: base, sessionManager: sessions }))
  const outgoing = openQueue<AgentMessage>()
  const received: MasterMessage['payload'][] = []
  const taken = new Set<MasterMessage['payload']>()
  const abort = new AbortController()
  let wake = Promise.withResolvers<void>()
  let over = false
  let reason: unknown

  async function read() {
    try {
      for await (const message of unary.stream(outgoing, { signal: abort.signal })) {
        received.push(message.payload)
        wake.resolve()
        wake = Promise.withResolvers()
      }
    } catch (error) {
      reason = error
    }
    over = true
    wake.resolve()
    return reason
  }
  const ended = read()

  const agent: ForeignAgent = {
    received,
    ended,
    unary,
    send(payload, agentId = '', timestamp = BigInt(Date.now())) {
      outgoing.push(create(AgentMessageSchema, { agentId, timestamp, payload }))
    },
    finish: () => outgoing.end(),
    async next(kind, seconds = 10) {
      const deadline = Date.now() + seconds * 1000
      for (;;) {
        const found = received.find((payload) => payload.case === kind && !taken.has(payload))
        if (found) {
          taken.add(found)
          return found.value as never
        }
        if (over) throw new Error(`the stream ended before ${kind} came`, { cause: reason })
        const left = deadline - Date.now()
        if (left <= 0) throw new Error(`no ${kind} came in ${seconds} s`)
        const timer = Promise.withResolvers<void>()
        const handle = setTimeout(timer.resolve, left)
        await Promise.race([wake.promise, timer.promise])
        clearTimeout(handle)
      }
    },
    register(registration) {
      agent.send({ case: 'registration', value: registration })
      return agent.next('registrationResponse')
    },
    async [Symbol.asyncDispose]() {
      outgoing.end()
      abort.abort()
      await ended
      sessions.abort()
    },
  }
  return agent
}

function openQueue<T>() {
  const waiting: T[] = []
  let wake = Promise.withResolvers<void>()
  let over = false
  return {
    push(item: T) {
      waiting.push(item)
      wake.resolve()
    },
    end() {
      over = true
      wake.resolve()
    },
    async *[Symbol.asyncIterator]() {
      for (;;) {
        const item = waiting.shift()
        if (item) yield item
        else if (over) return
        else {
          await wake.promise
          wake = Promise.withResolvers()
        }
      }
    },
  }
}
