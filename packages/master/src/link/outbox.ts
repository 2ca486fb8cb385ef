import type { Gate } from './gate.ts'

/** The writing half of a stream: `write` tells whether more may follow at once, `drain` says when it may again. */
export interface Writer {
  write(frame: Buffer, written?: () => void): boolean
  once(event: 'drain', listener: () => void): unknown
}

/** What waits to be written to one agent: answers and commands, the newest config, then acknowledgements. */
export interface Outbox {
  urgent(frame: Buffer): void
  /** Replaces the config that waits, if one does. */
  config(frame: Buffer): void
  ack(frame: Buffer): void
  close(): void
}

const mostFrames = 1000
const mostBytes = 1_048_576

/** Writes as fast as the stream takes it; `overflow` is called once more waits than an agent that reads would ever leave. */
export function openOutbox(stream: Writer, gate: Gate, overflow: () => void): Outbox {
  let urgent: Buffer[] = []
  let config: Buffer | undefined
  let asked = false
  let room: (() => void) | undefined
  let acks: Buffer[] = []
  let bytes = 0
  let blocked = false
  let closed = false

  function next(): { frame: Buffer; written?: () => void } | undefined {
    const first = urgent.shift()
    if (first) {
      bytes -= first.length
      return { frame: first }
    }
    if (config && room) {
      const newest = { frame: config, written: room }
      config = undefined
      room = undefined
      return newest
    }
    const ack = acks.shift()
    if (!ack) return undefined
    bytes -= ack.length
    return { frame: ack }
  }

  function askForRoom(size: number) {
    if (asked) return
    asked = true
    gate.enter(size, (release) => {
      asked = false
      if (closed) return release()
      room = release
      pump()
    })
  }

  function pump() {
    while (!blocked && !closed) {
      const message = next()
      if (!message) return
      if (stream.write(message.frame, message.written)) continue
      blocked = true
      stream.once('drain', () => {
        blocked = false
        pump()
      })
    }
  }

  function queue(list: Buffer[], frame: Buffer) {
    if (closed) return
    list.push(frame)
    bytes += frame.length
    pump()
    // One large frame may wait alone; many may not.
    const waiting = urgent.length + acks.length
    if (waiting > mostFrames || (waiting > 1 && bytes > mostBytes)) overflow()
  }

  return {
    urgent: (frame) => queue(urgent, frame),
    config(frame) {
      if (closed) return
      config = frame
      if (!room) askForRoom(frame.length)
    },
    ack: (frame) => queue(acks, frame),
    close() {
      closed = true
      urgent = []
      acks = []
      config = undefined
      room?.()
      room = undefined
    },
  }
}
