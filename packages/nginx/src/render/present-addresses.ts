import { addressesOf, isUnixSocket } from '@nxmesh/model/listen-address'
import type { RenderTarget } from './target.ts'

type Listening = Parameters<typeof addressesOf>[0]

/** Where a host can listen on this machine: nginx would refuse the whole config for an address that the machine does not have. */
export function presentAddresses(host: Listening, target: RenderTarget): string[] {
  const { absent_addresses = [], ipv6 } = target
  return addressesOf(host).filter(
    (address) => !absent_addresses.includes(address) && (ipv6 || !isIpv6(address)) && address !== privateSocket(target),
  )
}

/** What is to be said of the addresses of a host that are not present. */
export function absences(host: Listening, present: readonly string[], target: RenderTarget): { field: string; message: string }[] {
  return [...addressesOf(host).entries()].flatMap(([at, address]) => {
    if (present.includes(address)) return []
    const reason = absence(address, target)
    const message = present.length === 0 ? `is left out: ${reason}` : `does not listen on ${address}: ${reason}`
    return [{ field: `listen_addresses.${at}`, message }]
  })
}

function absence(address: string, target: RenderTarget): string {
  if (address === privateSocket(target)) return `${address} is the agent’s own`
  if (isUnixSocket(address))
    return `nginx cannot listen on ${address} here: its folder is missing or closed, or something else has the path`
  return target.ipv6 || !isIpv6(address) ? `this machine does not have the address ${address}` : 'this machine has no IPv6'
}

// Who listens there beside could answer the agent.
function privateSocket({ runtime_directory }: RenderTarget): string {
  return `unix:${runtime_directory}/nginx.sock`
}

function isIpv6(address: string): boolean {
  return address.includes(':') && !isUnixSocket(address)
}
