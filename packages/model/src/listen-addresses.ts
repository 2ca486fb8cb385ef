import { z } from 'zod'
import { canonicalAddress } from './listen-address.ts'

const listenAddress = z
  .string()
  .superRefine((text, ctx) => {
    const message = addressProblem(text)
    if (message !== undefined) ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_FORMAT' } })
  })
  .meta({ description: 'An IPv4 or IPv6 address, without brackets.' })

/** The addresses of a machine on which a host listens, where it is not all of them. */
export const listenAddresses = z
  .array(listenAddress)
  .min(1, 'must hold at least one address: leave it out to listen on all')
  .max(64, 'must hold at most 64 addresses')
  .superRefine((addresses, ctx) => {
    const spelled = addresses.map(canonicalAddress)
    for (const [index, address] of spelled.entries()) {
      if (spelled.indexOf(address) < index)
        ctx.addIssue({ code: 'custom', path: [index], message: 'stands here twice', params: { code: 'INVALID_VALUE' } })
    }
  })
  .meta({ description: 'The addresses of the agent’s machine to listen on; all of them where it is absent.' })

function addressProblem(text: string): string | undefined {
  if (!z.ipv4().safeParse(text).success && !z.ipv6().safeParse(text).success) return 'must be an IPv4 or IPv6 address, without brackets'
  const address = canonicalAddress(text)
  if (address === '0.0.0.0' || address === '::') return 'must be one address: leave listen_addresses out to listen on all'
  if (address.startsWith('::ffff:')) return 'must be written as the IPv4 address that it stands for'
  if (/^fe[89ab]/.test(address)) return 'must not be a link-local address: nginx has no way to say on which interface'
  return undefined
}
