import { readFile } from 'node:fs/promises'
import { allProcesses, commandLine, socketInodes } from './processes.ts'

export interface Listen {
  port: number
  transport: 'tcp' | 'udp'
}

export interface Taken extends Listen {
  /** Who holds the port, as far as this user may see. */
  owner: { pid: number; command: string } | undefined
  reason: string
}

interface Socket {
  address: string
  port: number
  inode: string
}

/**
 * The ports that nginx could not bind on a reload: those its master does not hold yet and somebody else does. `nginx -t`
 * cannot tell, because it forgives an address in use.
 */
export async function takenPorts(listens: readonly Listen[], master: number | undefined, ipv6: boolean): Promise<Taken[]> {
  const held = master === undefined ? new Set<string>() : await socketInodes(master)
  const taken: Taken[] = []
  for (const listen of distinct(listens)) {
    const sockets = (await openSockets(listen.transport)).filter((socket) => socket.port === listen.port)
    for (const address of ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']) {
      if (sockets.some((socket) => socket.address === address && held.has(socket.inode))) continue
      const error = await tryBind(listen, address)
      if (error === undefined || !['EADDRINUSE', 'EADDRNOTAVAIL'].includes(error)) continue
      const others = sockets.filter((socket) => !held.has(socket.inode))
      const owner = await ownerOf(others.length > 0 ? others : sockets)
      taken.push({ ...listen, owner, reason: describe(listen, address, owner, master) })
      break
    }
  }
  return taken
}

function describe(listen: Listen, address: string, owner: Taken['owner'], master: number | undefined): string {
  const port = `${listen.transport === 'udp' ? 'UDP port' : 'port'} ${listen.port}`
  if (!owner) return `${port} is already in use on this machine by another process`
  if (owner.pid === master)
    return `${port} is already open on a single address in this nginx, which cannot open it on ${address} while it runs`
  return `${port} is already in use on this machine by process ${owner.pid} (${owner.command})`
}

function distinct(listens: readonly Listen[]): Listen[] {
  return [...new Map(listens.map((listen) => [`${listen.transport}:${listen.port}`, listen])).values()]
}

async function tryBind({ port, transport }: Listen, host: string): Promise<string | undefined> {
  const ipv6Only = host === '::'
  if (transport === 'udp') {
    const { createSocket } = await import('node:dgram')
    const socket = createSocket({ type: ipv6Only ? 'udp6' : 'udp4', ipv6Only })
    return new Promise((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => {
        socket.close()
        resolve(error.code)
      })
      socket.bind({ port, address: host, exclusive: true }, () => socket.close(() => resolve(undefined)))
    })
  }
  const { createServer } = await import('node:net')
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    server.listen({ port, host, ipv6Only, exclusive: true, backlog: 1 }, () => server.close(() => resolve(undefined)))
  })
}

/** The listening TCP or bound UDP sockets of this network namespace. Source: proc_net(5). */
async function openSockets(transport: 'tcp' | 'udp'): Promise<Socket[]> {
  const texts = await Promise.all([transport, `${transport}6`].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  return texts.flatMap((text) => parseSockets(text, transport === 'tcp' ? '0A' : '07'))
}

export function parseSockets(text: string, state: string): Socket[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const [hex, port] = (fields[1] ?? '').split(':')
      if (hex === undefined || port === undefined || fields[3] !== state) return []
      return [{ address: addressOf(hex), port: Number.parseInt(port, 16), inode: fields[9] ?? '' }]
    })
}

function addressOf(hex: string): string {
  if (hex.length > 8) return /^0+$/.test(hex) ? '::' : hex
  const bytes = hex.match(/../g) ?? []
  return bytes
    .toReversed()
    .map((byte) => Number.parseInt(byte, 16))
    .join('.')
}

async function ownerOf(sockets: Socket[]): Promise<Taken['owner']> {
  const wanted = new Set(sockets.map((socket) => socket.inode))
  for (const pid of await allProcesses()) {
    const inodes = await socketInodes(pid)
    if ([...wanted].some((inode) => inodes.has(inode))) return { pid, command: (await commandLine(pid)).slice(0, 200) }
  }
  return undefined
}
