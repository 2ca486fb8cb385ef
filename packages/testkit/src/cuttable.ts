import { connect, createServer, type Socket } from 'node:net'

export interface Cuttable extends AsyncDisposable {
  port: number
  /** Lets no byte through either way and accepts nothing new, without closing anything: as when a cable is pulled. */
  cut(): void
  /** Lets no byte of one side through on the connections there are, which stay open; new connections work. */
  mute(side: 'client' | 'target'): void
  /** Lets bytes through again. */
  mend(): void
  /** What clients say takes so many milliseconds more on its way from now on. */
  slow(milliseconds: number): void
  /** Closes every connection. */
  reset(): void
  /** Has new connections lead to another port. */
  lead(target: number): void
}

/** A TCP relay to a port or a unix socket of this machine whose line can be cut. */
export async function startCuttable(first: number | string): Promise<Cuttable> {
  let target: number | string = first
  const pairs = new Set<[Socket, Socket]>()
  let isCut = false
  let late = 0
  const server = createServer((near) => {
    const far = typeof target === 'number' ? connect(target, '127.0.0.1') : connect(target)
    const pair: [Socket, Socket] = [near, far]
    pairs.add(pair)
    const end = () => {
      near.destroy()
      far.destroy()
      pairs.delete(pair)
    }
    for (const socket of pair) socket.on('error', end).on('close', end)
    near.on('data', (chunk) => void (late === 0 ? far.write(chunk) : setTimeout(() => far.write(chunk), late)))
    far.on('data', (chunk) => void near.write(chunk))
    if (isCut) for (const socket of pair) socket.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const each = (action: (socket: Socket) => void) => {
    for (const pair of pairs) for (const socket of pair) action(socket)
  }
  return {
    port: (server.address() as { port: number }).port,
    cut() {
      isCut = true
      each((socket) => socket.pause())
    },
    mute(side) {
      for (const [near, far] of pairs) (side === 'client' ? near : far).pause()
    },
    mend() {
      isCut = false
      each((socket) => socket.resume())
    },
    slow: (milliseconds) => void (late = milliseconds),
    reset: () => each((socket) => socket.destroy()),
    lead: (port) => void (target = port),
    async [Symbol.asyncDispose]() {
      each((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
