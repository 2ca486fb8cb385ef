/** An address as a number and its length in bits; undefined for any other text. IPv4 in IPv6 counts as IPv4. */
export function parseAddress(text: string): { bits: 32 | 128; value: bigint } | undefined {
  const bare = text.replace(/^\[|\]$/g, '')
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(bare)) {
    const bytes = bare.split('.').map(Number)
    if (bytes.some((byte) => byte > 255)) return undefined
    return { bits: 32, value: bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n) }
  }
  const mapped = /^::ffff:(\d{1,3}(?:\.\d{1,3}){3})$/i.exec(bare)
  if (mapped) return parseAddress(mapped[1]!)
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

/** The length of the prefix of a network that an address is in; undefined where it is outside, or this is no network. */
export function prefixHolding(network: string, address: string): number | undefined {
  const [base, length] = network.split('/')
  const [from, one] = [parseAddress(base!), parseAddress(address)]
  if (!from || !one || from.bits !== one.bits) return undefined
  const prefix = length === undefined ? from.bits : Number(length)
  const shift = BigInt(from.bits - prefix)
  return from.value >> shift === one.value >> shift ? prefix : undefined
}
