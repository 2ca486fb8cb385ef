import type { Actor } from '../access.ts'

/** Who listens, and until when at the latest, in milliseconds since the epoch. */
export interface Pass {
  actor: Actor
  /** By what the requests of the actor are counted. */
  principal: string
  ends: number
}

/** The part of a WebSocket that a listener needs. */
export interface Socket {
  send(data: Buffer | string, options: { binary: boolean }, sent?: (error?: Error) => void): void
  close(code: number, reason: string): void
  terminate(): void
  ping(): void
  readonly bufferedAmount: number
}

export interface Limits {
  /** Milliseconds between two pings; who has not answered one by the next is gone. */
  pingEvery: number
  /** Bytes that may wait to be sent to one client. Beyond that it is sent nothing more until it has read, */
  mostWaiting: number
  /** which it must within this many milliseconds. */
  drainWithin: number
  /** Messages of a client within ten seconds. */
  mostMessages: number
  mostSubscriptions: number
  mostTails: number
  /** Open sockets of one principal. */
  mostSockets: number
}

export const defaultLimits: Limits = {
  pingEvery: 20_000,
  mostWaiting: 524_288,
  drainWithin: 30_000,
  mostMessages: 100,
  mostSubscriptions: 50,
  mostTails: 5,
  mostSockets: 1000,
}
