import { z } from 'zod'
import { canonicalAddress, isUnixSocket } from './listen-address.ts'

const longestPath = 107

const listenAddress = checked(addressProblem).meta({ description: 'An IPv4 or IPv6 address, without brackets.' })
const listenPlace = checked((text) => (isUnixSocket(text) ? socketProblem(text) : addressProblem(text))).meta({
  description: 'An IPv4 or IPv6 address, without brackets, or `unix:` and the path of a socket.',
})

/** The addresses of a machine on which a host listens, where it is not all of them. */
export const listenAddresses = listOf(listenAddress).meta({
  description: 'The addresses of the agent’s machine to listen on; all of them where it is absent.',
})

/** The same of a host that may listen on unix sockets instead of its port. */
export const listenPlaces = listOf(listenPlace)
  .superRefine((places, ctx) => {
    const sockets = places.filter(isUnixSocket)
    if (sockets.length > 0 && sockets.length < places.length)
      ctx.addIssue({
        code: 'custom',
        message: 'must be all addresses or all unix sockets: two hosts can have both',
        params: { code: 'INVALID_VALUE' },
      })
  })
  .meta({
    description:
      'The addresses of the agent’s machine to listen on, or the unix sockets instead of the port; all addresses where it is absent.',
  })

function checked(problemOf: (text: string) => string | undefined) {
  return z.string().superRefine((text, ctx) => {
    const message = problemOf(text)
    if (message !== undefined) ctx.addIssue({ code: 'custom', message, params: { code: 'INVALID_FORMAT' } })
  })
}

function listOf(place: z.ZodString) {
  return z
    .array(place)
    .min(1, 'must hold at least one address: leave it out to listen on all')
    .max(64, 'must hold at most 64 addresses')
    .superRefine((addresses, ctx) => {
      const spelled = addresses.map(canonicalAddress)
      for (const [index, address] of spelled.entries()) {
        if (spelled.indexOf(address) < index)
          ctx.addIssue({ code: 'custom', path: [index], message: 'stands here twice', params: { code: 'INVALID_VALUE' } })
      }
    })
}

// Source: unix(7), for the length.
function socketProblem(text: string): string | undefined {
  const path = text.slice('unix:'.length)
  if (path.length > longestPath) return `must be a path of at most ${longestPath} bytes`
  if (!/^(\/[A-Za-z0-9._@+-]+)+$/.test(path) || /\/\.{1,2}(\/|$)/.test(path))
    return 'must be unix: and an absolute path of letters, digits and . _ @ + -, without . and .. as names'
  return undefined
}

function addressProblem(text: string): string | undefined {
  if (!z.ipv4().safeParse(text).success && !z.ipv6().safeParse(text).success) return 'must be an IPv4 or IPv6 address, without brackets'
  const address = canonicalAddress(text)
  if (address === '0.0.0.0' || address === '::') return 'must be one address: leave listen_addresses out to listen on all'
  if (address.startsWith('::ffff:')) return 'must be written as the IPv4 address that it stands for'
  if (/^fe[89ab]/.test(address)) return 'must not be a link-local address: nginx has no way to say on which interface'
  return undefined
}
