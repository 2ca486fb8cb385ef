import { everyAddress } from '@nxmesh/model/listen-address'
import { listensOf, type Port, placeOf } from './listen.ts'
import { type Claims, claim } from './names.ts'
import type { SourceDirective } from './source.ts'

/** Where one virtual host of a server listens, and under which names. */
export interface Place {
  port: number
  /** Absent: all of them. */
  addresses?: string[]
  tls: boolean
  http2: boolean
  quic: boolean
  proxyProtocol: boolean
  /** The server that nginx asks whether HTTP/2 is spoken: without TLS nothing names another before the first byte. */
  speaker: SourceDirective
  free: string[]
}

export interface Places {
  places: Place[]
  /** The names that earlier servers have. */
  taken: string[]
}

/** Takes the names of a server wherever it listens: what is alike on several addresses of a port becomes one virtual host. */
export function placesOf(
  server: SourceDirective,
  names: readonly string[],
  host: string,
  { ports, claims }: { ports: ReadonlyMap<string, Port>; claims: Claims },
): Places {
  const listens = listensOf(server)
  const groups = new Map<string, Place>()
  const taken = new Set<string>()
  for (const { port, address } of new Map(listens.map((listen) => [placeOf(listen), listen])).values()) {
    const place = placeOf({ port, address })
    const { tls, http2, proxyProtocol, defaultServer } = ports.get(place)!
    const quic = listens.some((listen) => placeOf(listen) === place && listen.quic)
    const claimed = claim(claims, place, defaultServer === server ? [...names, '_'] : names, host)
    for (const name of claimed.taken) taken.add(name)
    if (claimed.free.length === 0) continue
    const single = address !== everyAddress
    const key = JSON.stringify([port, single, tls, http2, quic, proxyProtocol, claimed.free])
    const known = groups.get(key)
    if (known) known.addresses?.push(address)
    else
      groups.set(key, {
        port,
        ...(single && { addresses: [address] }),
        tls,
        http2,
        quic,
        proxyProtocol,
        speaker: tls ? server : defaultServer,
        free: claimed.free,
      })
  }
  return { places: [...groups.values()], taken: [...taken] }
}
