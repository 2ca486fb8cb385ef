import { BlockList, isIP } from 'node:net'

// Everything that is not the public internet. Source: IANA, IPv4 Special-Purpose Address Registry, and multicast.
const special = blockList(
  [
    '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.31.196.0/24',
    '192.52.193.0/24 192.88.99.0/24 192.168.0.0/16 192.175.48.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4',
    // Within global unicast: protocol assignments with Teredo, documentation, 6to4, which leads to any IPv4 address.
    '2001::/23 2001:db8::/32 2002::/16 2620:4f:8000::/48 3fff::/20',
  ].flatMap((line) => line.split(' ')),
)

// The only addresses of the public internet: IPv4 inside of others, NAT64, unique local and link-local ones are elsewhere.
const global6 = blockList(['2000::/3'])

/** A set of networks (`10.0.0.0/8`) and addresses. */
export function blockList(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const network of networks) {
    const [address = '', prefix] = network.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(prefix), family)
  }
  return list
}

/** Whether something may be sent to an address: it is on the public internet, or allowed. */
export function mayReach(address: string, allowed: BlockList): boolean {
  const version = isIP(address)
  if (version === 0) return false
  const family = version === 6 ? 'ipv6' : 'ipv4'
  if (allowed.check(address, family)) return true
  return !special.check(address, family) && (version === 4 || global6.check(address, 'ipv6'))
}

/** The address that the host of a URL is, in whatever spelling it was: URLs hold IPv4 addresses in one only. */
export function literalOf(url: URL): string | undefined {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  return isIP(host) === 0 ? undefined : host
}
