import { z } from 'zod'
import { network } from './network.ts'

/** For what a proxy in front reaches that tells each client's address before its first byte. */
export const acceptProxyProtocol = z
  .strictObject({
    trusted: z.array(network).max(1000).default([]).meta({ description: "The proxies whose word is taken for the client's address." }),
  })
  .meta({ id: 'AcceptProxyProtocol', description: 'Every connection over TCP must begin with a header of the PROXY protocol.' })

export type AcceptProxyProtocol = z.infer<typeof acceptProxyProtocol>
