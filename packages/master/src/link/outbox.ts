/** The writing half of a stream: `write` tells whether more may follow at once, `drain` says when it may again. */
export interface Writer {
  write(frame: Buffer): boolean
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
export function openOutbox(stream: Writer, overflow: () => void): Outbox {
  let urgent: Buffer[] = []
  let config: Buffer | undefined
  let acks: Buffer[] = []
  let bytes = 0
  let blocked = false
  let closed = false

  function next(): Buffer | undefined {
    const first = urgent.shift()
    if (first) {
      bytes -= first.length
      return first
    }
    if (config) {
      const newest = config
      config = undefined
      return newest
    }
    const ack = acks.shift()
    if (ack) bytes -= ack.length
    return ack
  }

  function pump() {
    while (!blocked && !closed) {
      const frame = next()
      if (!frame) return
      if (stream.write(frame)) continue
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
      config = frame
      pump()
    },
    ack: (frame) => queue(acks, frame),
    close() {
      closed = true
      urgent = []
      acks = []
      config = undefined
    },
  }
}
