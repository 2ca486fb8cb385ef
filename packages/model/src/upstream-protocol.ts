import type { LocationOptions } from './options.ts'

/** How the servers of an upstream can be spoken to. */
export const upstreamProtocols = ['http', 'grpc', 'grpcs'] as const

/** Tells whether the upstream of a location is spoken to by gRPC. */
export function speaksGrpc({ grpc_pass, upstream_protocol }: Pick<LocationOptions, 'grpc_pass' | 'upstream_protocol'>): boolean {
  return grpc_pass !== undefined || upstream_protocol === 'grpc' || upstream_protocol === 'grpcs'
}
