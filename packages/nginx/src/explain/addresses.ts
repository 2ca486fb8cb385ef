/** An address as a number and its length in bits; undefined for any other text. */
export function parseAddress(text: string): { bits: 32 | 128; value: bigint } | undefined {
  const bare = text.replace(/^\[|\]$/g, '')
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(bare)) {
    const bytes = bare.split('.').map(Number)
    if (bytes.some((byte) => byte > 255)) return undefined
    return { bits: 32, value: bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) }
  }
  const mapped = mappedAddress(bare)
  if (mapped !== undefined) {
    const v4 = parseAddress(mapped)
    return v4 && { bits: 128, value: (0xffffn << 32n) + v4.value }
  }
  if (!/^[0-9a-f:]+$/i.test(bare) || !bare.includes(':')) return undefined
  const [before, after, more] = bare.split('::')
  if (more !== undefined) return undefined
  const wordsOf = (part: string | undefined) => (part === undefined || part === '' ? [] : part.split(':'))
  const [head, tail] = [wordsOf(before), wordsOf(after)]
  const missing = 8 - head.length - tail.length
  if (after === undefined ? missing !== 0 : missing < 0) return undefined
  const words = [...head, ...Array<string>(missing).fill('0'), ...tail]
  if (words.some((word) => !/^[0-9a-f]{1,4}$/i.test(word))) return undefined
  return { bits: 128, value: words.reduce((sum, word) => sum * 65_536n + BigInt(Number.parseInt(word, 16)), 0n) }
}

/** The IPv4 address in one of IPv6 that stands for it, as a socket for both families shows it. Source: RFC 4291, section 2.5.5.2. */
export function mappedAddress(address: string): string | undefined {
  return /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(address)?.[1]
}

/** The length of the prefix of a network that an address is in; undefined where it is outside, or this is no network. A mapped address counts as IPv4 unless it is to be taken as it is. */
export function prefixHolding(network: string, address: string, asIs = false): number | undefined {
  const [base, length] = network.split('/')
  const [from, one] = [parseAddress(base!), parseAddress(asIs ? address : (mappedAddress(address) ?? address))]
  if (!from || !one || from.bits !== one.bits) return undefined
  const prefix = length === undefined ? from.bits : Number(length)
  const shift = BigInt(from.bits - prefix)
  return from.value >> shift === one.value >> shift ? prefix : undefined
}
