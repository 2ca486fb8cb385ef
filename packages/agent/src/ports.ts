import { readFile } from 'node:fs/promises'
import { canonicalAddress } from '@nxmesh/model/listen-address'
import { type Socket, socketsOf, takesAll } from '@nxmesh/nginx/shared-sockets'
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

interface OpenSocket extends Socket {
  inode: string
}

/** What nginx listens on, as a text that is equal for equal sockets. */
export function socketName({ port, transport, address }: Listen): string {
  return `${transport}:${address === undefined ? '' : `${address} `}${port}`
}

/**
 * The ports that nginx could not bind on a reload: those its master does not hold yet and somebody else does. `nginx -t`
 * cannot tell, because it forgives an address in use. What nginx was given by us, `before`, it can open in another way, and where
 * it is about to be started anew, all that it holds is free by then.
 */
export async function takenPorts(
  listens: readonly Listen[],
  { master, ipv6, restarts = false, before }: { master: number | undefined; ipv6: boolean; restarts?: boolean; before?: readonly Listen[] },
): Promise<Taken[]> {
  const held = master === undefined ? new Set<string>() : await socketInodes(master)
  const taken: Taken[] = []
  for (const listen of distinct(listens)) {
    const sockets = (await openSockets(listen.transport)).filter((socket) => socket.port === listen.port)
    for (const socket of socketsOf(listen, ipv6)) {
      if (sockets.some(({ address, inode }) => address === socket.address && held.has(inode))) continue
      const error = await tryBind(listen, socket.address)
      if (error === undefined || !['EADDRINUSE', 'EADDRNOTAVAIL'].includes(error)) continue
      const others = sockets.filter(({ inode }) => !held.has(inode))
      const isNginx = sockets.length > 0 && others.length === 0
      if (isNginx && (restarts || opensBeside(listen, sockets, before))) continue
      const owner = await ownerOf(others.length > 0 ? others : sockets)
      taken.push({ ...listen, owner, reason: describe(listen, socket, owner, master) })
      break
    }
  }
  return taken
}

/** Whether nginx can come to listen so in spite of the sockets that it has on the port. UDP sockets are opened beside each other; where one takes what comes to all addresses, nginx opens none for a single one. */
function opensBeside(listen: Listen, sockets: readonly Socket[], before: readonly Listen[] | undefined): boolean {
  if (listen.transport === 'udp' || listen.address !== undefined || before === undefined) return true
  const ours = new Set(before.map(socketName))
  return sockets.every((socket) => takesAll(socket) || ours.has(socketName({ ...socket, transport: listen.transport })))
}

function describe(listen: Listen, { address }: Socket, owner: Taken['owner'], master: number | undefined): string {
  const port = `${listen.transport === 'udp' ? 'UDP port' : 'port'} ${listen.port}${listen.address === undefined ? '' : ` on ${listen.address}`}`
  if (!owner) return `${port} is already in use on this machine by another process`
  if (owner.pid === master)
    return `${port} is already open on a single address in this nginx, for a server of the host's own configuration: it cannot be opened on ${address} meanwhile`
  return `${port} is already in use on this machine by process ${owner.pid} (${owner.command})`
}

/** The TCP sockets on which a process listens. */
export async function openTcpSockets(pid: number): Promise<Socket[]> {
  const held = await socketInodes(pid)
  return (await openSockets('tcp')).filter(({ inode }) => held.has(inode)).map(({ port, address }) => ({ port, address }))
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
async function openSockets(transport: 'tcp' | 'udp'): Promise<OpenSocket[]> {
  const texts = await Promise.all([transport, `${transport}6`].map((name) => readFile(`/proc/net/${name}`, 'utf8').catch(() => '')))
  return texts.flatMap((text) => parseSockets(text, transport === 'tcp' ? '0A' : '07'))
}

export function parseSockets(text: string, state: string): OpenSocket[] {
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

async function ownerOf(sockets: OpenSocket[]): Promise<Taken['owner']> {
  const wanted = new Set(sockets.map((socket) => socket.inode))
  for (const pid of await allProcesses()) {
    const inodes = await socketInodes(pid)
    if ([...wanted].some((inode) => inodes.has(inode))) return { pid, command: (await commandLine(pid)).slice(0, 200) }
  }
  return undefined
}
