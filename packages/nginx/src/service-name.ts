/** The name under which nginx asks the agent for the servers of an upstream (RFC 2782). */
export function serviceName(upstreamId: string): { service: string; host: string } {
  return { service: '_servers._tcp', host: `u${upstreamId.toLowerCase().replace(/[^a-z0-9]/g, '')}.nxmesh` }
}
