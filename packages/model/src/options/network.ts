import { z } from 'zod'

const notOne = 'must be an IPv4 or IPv6 address, or a network such as 10.0.0.0/8'

/** An address or a network in CIDR notation, as nginx's access, geo and real-ip modules take it. */
export const network = z
  .string()
  .regex(/^[0-9a-fA-F:.]+(\/\d{1,3})?$/, { error: notOne, abort: true })
  .superRefine((text, ctx) => {
    const message = networkProblem(text)
    if (message !== undefined) ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_FORMAT' } })
  })
  .meta({ description: 'An IPv4 or IPv6 address, or a network such as `10.0.0.0/8`.' })

/** Says what is wrong with an address or network, if anything: nginx itself would only warn of bits behind the prefix. */
function networkProblem(text: string): string | undefined {
  const [address = '', length, ...rest] = text.split('/')
  const bits = bitsOf(address)
  if (bits === undefined || rest.length > 0) return notOne
  if (length === undefined) return undefined
  if (!/^(0|[1-9]\d{0,2})$/.test(length) || Number(length) > bits.length) return `must have a prefix from 0 to ${bits.length}`
  return bits.slice(Number(length)).includes('1') ? `has bits set behind the first ${length}, which count for nothing` : undefined
}

function bitsOf(address: string): string | undefined {
  if (z.ipv4().safeParse(address).success) return binary(address.split('.').map(Number), 8)
  if (!z.ipv6().safeParse(address).success) return undefined
  const [head = '', tail] = address.split('::')
  const [before, after] = [groupsOf(head), groupsOf(tail ?? '')]
  const between = tail === undefined ? 0 : 8 - before.length - after.length
  return binary([...before, ...Array<number>(Math.max(0, between)).fill(0), ...after], 16)
}

function groupsOf(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (!group.includes('.')) return Number.parseInt(group, 16)
    const [a = 0, b = 0, c = 0, d = 0] = group.split('.').map(Number)
    return [a * 256 + b, c * 256 + d]
  })
}

function binary(numbers: number[], width: number): string {
  return numbers.map((number) => number.toString(2).padStart(width, '0')).join('')
}
