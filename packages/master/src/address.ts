import { isIPv4, isIPv6 } from 'node:net'

/**
 * What to count under for an address: an IPv4 address itself, of an IPv6 address the first 64 bits, because whoever has one has
 * all of them (RFC 6177). What a proxy hands on that is no address is one for all.
 */
export function networkOf(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1]
  if (mapped !== undefined) return mapped
  const plain = address.split('%')[0]!
  if (!isIPv6(plain)) return isIPv4(address) ? address : 'unknown'
  const [head = '', tail] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8
  const first = [...groups, ...Array.from({ length: missing }, () => '0')].slice(0, 4)
  return `${first.map((group) => Number.parseInt(group, 16).toString(16)).join(':')}::/64`
}
