import { ApiError } from '@nxmesh/api/errors'
import type { VirtualHost } from '@nxmesh/model/virtual-host'

/** Throws CONFLICT with one detail for each virtual host that uses what is to be deleted. */
export function requireUnused(what: string, hosts: Pick<VirtualHost, 'id' | 'name'>[]): void {
  if (hosts.length === 0) return
  const details = hosts.map(({ id, name }) => ({
    field: 'id',
    message: `is used by virtual host "${name}" (${id})`,
    code: 'IN_USE' as const,
  }))
  throw new ApiError('CONFLICT', `the ${what} is in use`, details)
}
