import { readFile } from 'node:fs/promises'
import { canonicalAddress } from '@nxmesh/model/listen-address'
import { allProcesses, commandLine, socketInodes } from './processes.ts'

export interface Listen {
  port: number
  /** Absent: all of them. */
  address?: string
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

/** What nginx listens on, as a text that is equal for equal sockets. */
export function socketName({ port, transport, address }: Listen): string {
  return `${transport}:${address === undefined ? '' : `${address} `}${port}`
}

/**
 * The ports that nginx could not bind on a reload: those its master does not hold yet and somebody else does. `nginx -t`
 * cannot tell, because it forgives an address in use. Where nginx is about to be started anew, what it holds itself is free by then.
 */
export async function takenPorts(
  listens: readonly Listen[],
  { master, ipv6, restarts = false }: { master: number | undefined; ipv6: boolean; restarts?: boolean },
): Promise<Taken[]> {
  const held = master === undefined ? new Set<string>() : await socketInodes(master)
  const taken: Taken[] = []
  for (const listen of distinct(listens)) {
    const sockets = (await openSockets(listen.transport)).filter((socket) => socket.port === listen.port)
    for (const address of listen.address ? [listen.address] : ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']) {
      if (sockets.some((socket) => socket.address === address && held.has(socket.inode))) continue
      const error = await tryBind(listen, address)
      if (error === undefined || !['EADDRINUSE', 'EADDRNOTAVAIL'].includes(error)) continue
      const others = sockets.filter((socket) => !held.has(socket.inode))
      if (restarts && others.length === 0) continue
      const owner = await ownerOf(others.length > 0 ? others : sockets)
      taken.push({ ...listen, owner, reason: describe(listen, address, owner, master) })
      break
    }
  }
  return taken
}

function describe(listen: Listen, address: string, owner: Taken['owner'], master: number | undefined): string {
  const port = `${listen.transport === 'udp' ? 'UDP port' : 'port'} ${listen.port}${listen.address === undefined ? '' : ` on ${listen.address}`}`
  if (!owner) return `${port} is already in use on this machine by another process`
  if (owner.pid === master) {
    const [has, wanted] =
      listen.address === undefined ? ['on a single address', `on ${address}`] : ['on all addresses', 'on this one alone']
    return `${port} is already open ${has} in this nginx, which cannot open it ${wanted} while it holds the port`
  }
  return `${port} is already in use on this machine by process ${owner.pid} (${owner.command})`
}

function distinct(listens: readonly Listen[]): Listen[] {
  return [...new Map(listens.map((listen) => [socketName(listen), listen])).values()]
}

async function tryBind({ port, transport }: Listen, host: string): Promise<string | undefined> {
  const ipv6Only = host.includes(':')
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

// The kernel prints each word of four bytes as the machine has it in memory, its bytes turned round.
function addressOf(hex: string): string {
  const bytes = (hex.match(/.{8}/g) ?? []).flatMap((word) => (word.match(/../g) ?? []).toReversed())
  if (bytes.length === 4) return bytes.map((byte) => Number.parseInt(byte, 16)).join('.')
  const groups = bytes.join('').match(/.{4}/g) ?? []
  return canonicalAddress(groups.join(':').toLowerCase())
}

async function ownerOf(sockets: Socket[]): Promise<Taken['owner']> {
  const wanted = new Set(sockets.map((socket) => socket.inode))
  for (const pid of await allProcesses()) {
    const inodes = await socketInodes(pid)
    if ([...wanted].some((inode) => inodes.has(inode))) return { pid, command: (await commandLine(pid)).slice(0, 200) }
  }
  return undefined
}
