import { z } from 'zod'
import { upstreamProtocols } from '../upstream-protocol.ts'

/** How the servers of a location's upstream are spoken to. */
export const upstreamProtocol = z
  .enum(upstreamProtocols, `must be one of ${upstreamProtocols.join(', ')}`)
  .meta({ description: 'How the servers of `upstream_id` are spoken to, `http` where it is absent; `grpcs` is gRPC over TLS.' })

/** Where a location's calls go by gRPC. */
export const grpcPass = z
  .string()
  .max(500, 'must be at most 500 characters')
  .regex(/^grpcs?:\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+)(:\d{1,5})?$/, 'must be grpc:// or grpcs:// with a host and, if any, a port')
  .refine(
    (text) => Number(/:(\d+)$/.exec(text)?.[1] ?? 1) >= 1 && Number(/:(\d+)$/.exec(text)?.[1] ?? 1) <= 65_535,
    'must have a port from 1 to 65535',
  )
  .meta({ description: 'A gRPC server, instead of proxy_pass or upstream_id.' })
