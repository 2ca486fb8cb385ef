import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import {
  type EventEnvelope,
  type EventType,
  eventData,
  eventEnvelope,
  type ServerAnswer,
  serverAnswer,
  type TailMessage,
  tailMessage,
} from '@nxmesh/api/events'
import { until } from '@nxmesh/testkit/until'
import { WebSocket } from 'ws'

export interface Listening extends AsyncDisposable {
  socket: WebSocket
  /** What came, each held to the schema of its type. */
  events: EventEnvelope[]
  answers: ServerAnswer[]
  /** What came of the logs that it follows. */
  tails: TailMessage[]
  closed: Promise<{ code: number; reason: string }>
  /** Sends a message and returns what is answered to it. */
  ask(message: unknown): Promise<ServerAnswer>
  /** Waits for an event that is like this, among those that came. */
  next(type: EventType, data?: object): Promise<EventEnvelope>
}

export interface Way {
  query?: Record<string, string>
  headers?: Record<string, string>
  protocols?: string[]
}

/** Opens a WebSocket to the events of a master and waits until it is open. */
export async function listen(base: string, way: Way): Promise<Listening> {
  const socket = new WebSocket(addressOf(base, way), way.protocols ?? [], { headers: way.headers ?? {} })
  const events: EventEnvelope[] = []
  const answers: ServerAnswer[] = []
  const tails: TailMessage[] = []
  const faults: unknown[] = []
  socket.on('message', (data: Buffer) => {
    try {
      const message = JSON.parse(data.toString()) as { type: string }
      if (message.type in eventData) events.push(eventOf(message))
      else if (message.type.includes('.')) tails.push(tailMessage.parse(message))
      else answers.push(serverAnswer.parse(message))
    } catch (error) {
      faults.push(error)
    }
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() })),
  )
  await once(socket, 'open')
  const sound = () => {
    if (faults.length > 0) throw faults[0]
  }
  return {
    socket,
    events,
    answers,
    tails,
    closed,
    async ask(message) {
      const before = answers.length
      socket.send(typeof message === 'string' ? message : JSON.stringify(message))
      return until(`an answer to ${JSON.stringify(message).slice(0, 200)}`, () => answers[before])
    },
    next: (type, data = {}) =>
      until(`${type} ${JSON.stringify(data)}`, () => {
        sound()
        return events.find((event) => event.type === type && Object.entries(data).every(([key, value]) => event.data[key] === value))
      }),
    async [Symbol.asyncDispose]() {
      socket.terminate()
      await closed
      sound()
    },
  }
}

/** Listens with a token in the address, as the contract shows. */
export function listenWith(base: string, token: string, query: Record<string, string> = {}): Promise<Listening> {
  return listen(base, { query: { token, ...query } })
}

/** The HTTP answer to a handshake that is refused. */
export async function refusal(base: string, way: Way): Promise<{ status: number; body: ReturnType<typeof JSON.parse>; text: string }> {
  const socket = new WebSocket(addressOf(base, way), way.protocols ?? [], { headers: way.headers ?? {} })
  socket.on('error', () => undefined)
  socket.once('open', () => socket.emit('error', new Error('the socket was opened')))
  const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage]
  let text = ''
  for await (const chunk of response) text += String(chunk)
  return { status: response.statusCode ?? 0, body: JSON.parse(text), text }
}

export function eventOf(message: unknown): EventEnvelope {
  const event = eventEnvelope.parse(message)
  eventData[event.type].parse(event.data)
  return event
}

function addressOf(base: string, { query = {} }: Way): string {
  return `${base.replace(/^http/, 'ws')}/v1/events?${new URLSearchParams(query).toString()}`
}
