import type { Listen } from './render/target.ts'

/** A TCP socket as the kernel names it: `0.0.0.0` and `::` take what comes to all addresses of their family. */
export interface Socket {
  port: number
  address: string
}

/** The sockets that nginx opens for a listen: for all addresses it is one of each family. */
export function socketsOf({ port, address }: Omit<Listen, 'transport'>, ipv6: boolean): Socket[] {
  if (address !== undefined) return [{ port, address }]
  return (ipv6 ? ['0.0.0.0', '::'] : ['0.0.0.0']).map((all) => ({ port, address: all }))
}

/** How `listen` names a socket. */
export function listenName({ port, address }: Socket): string {
  if (address === '0.0.0.0') return String(port)
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}

export function takesAll({ address }: Socket): boolean {
  return address === '0.0.0.0' || address === '::'
}

/**
 * The kernel lets nobody listen on one address of a port that is open on all, or on all while it is open on one, unless both
 * sockets have `reuseport`; and on a reload nginx opens new sockets before it closes those it needs no more. So it goes from some to
 * others by two configs: in the first the open sockets get `reuseport`, in the second the new ones have it and take their place.
 * Gives the sockets of each of these configs, and nothing where nginx can go at once. UDP needs none of it.
 */
export function sharedOnTheWay(open: readonly Socket[], wanted: readonly Socket[]): Socket[][] {
  const isIn = (sockets: readonly Socket[], socket: Socket) => sockets.some((each) => isSame(each, socket))
  const opened = wanted.filter((socket) => !isIn(open, socket))
  const first = open.filter((socket) => !isIn(wanted, socket) && opened.some((each) => clashes(each, socket)))
  if (first.length === 0) return []
  const clashing = opened.filter((socket) => first.some((each) => clashes(each, socket)))
  // A port with single addresses among those that share has its servers there alone, so all of them are named.
  const beside = wanted.filter((socket) => !takesAll(socket) && clashing.some(({ port }) => port === socket.port))
  return [distinct(first), distinct([...clashing, ...beside])]
}

/** Whether the kernel keeps two sockets from being open at once. */
function clashes(a: Socket, b: Socket): boolean {
  return a.port === b.port && a.address.includes(':') === b.address.includes(':') && takesAll(a) !== takesAll(b)
}

function isSame(a: Socket, b: Socket): boolean {
  return a.port === b.port && a.address === b.address
}

function distinct(sockets: readonly Socket[]): Socket[] {
  return [...new Map(sockets.map((socket) => [`${socket.address} ${socket.port}`, socket])).values()]
}
