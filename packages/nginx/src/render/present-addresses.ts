import { addressesOf } from '@nxmesh/model/listen-address'
import type { RenderTarget } from './target.ts'

type Listening = Parameters<typeof addressesOf>[0]

/** Where a host can listen on this machine: nginx would refuse the whole config for an address that the machine does not have. */
export function presentAddresses(host: Listening, { absent_addresses = [], ipv6 }: RenderTarget): string[] {
  return addressesOf(host).filter((address) => !absent_addresses.includes(address) && (ipv6 || !address.includes(':')))
}

/** What is to be said of the addresses of a host that are not present. */
export function absences(host: Listening, present: readonly string[], { ipv6 }: RenderTarget): { field: string; message: string }[] {
  return [...addressesOf(host).entries()].flatMap(([at, address]) => {
    if (present.includes(address)) return []
    const reason = ipv6 || !address.includes(':') ? `this machine does not have the address ${address}` : 'this machine has no IPv6'
    const message = present.length === 0 ? `is left out: ${reason}` : `does not listen on ${address}: ${reason}`
    return [{ field: `listen_addresses.${at}`, message }]
  })
}
