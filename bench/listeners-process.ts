import { WebSocket } from 'ws'

// A thousand clients of one feed. Told { addresses, count, first }, it opens them and says so; told { wait }, it says when each had the next message.
interface Order {
  /** Each is used in turn. */
  addresses?: string[]
  count?: number
  /** What each sends once it is open, and is answered. */
  first?: string
  wait?: true
}

const sockets: WebSocket[] = []
let arrived: number[] = []
let waiting = false

process.on('message', ({ addresses, count = 0, first, wait }: Order) => {
  if (wait) {
    arrived = []
    waiting = true
  }
  if (addresses) void openAll(addresses, count, first)
})

async function openAll(addresses: string[], count: number, first: string | undefined) {
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(50, count - sockets.length) }, (_, index) =>
      open(addresses[index % addresses.length]!, first),
    )
    sockets.push(...(await Promise.all(some)))
  }
  process.send?.({ open: sockets.length })
}

function open(address: string, first: string | undefined): Promise<WebSocket> {
  const socket = new WebSocket(address, { perMessageDeflate: false })
  return new Promise((resolve, reject) => {
    socket.once('error', reject)
    socket.once('open', () => {
      if (first === undefined) return ready()
      socket.once('message', ready)
      socket.send(first)
    })
    function ready() {
      socket.on('message', note)
      resolve(socket)
    }
  })
}

function note() {
  if (!waiting) return
  arrived.push(Date.now())
  if (arrived.length < sockets.length) return
  waiting = false
  process.send?.({ at: arrived })
}
