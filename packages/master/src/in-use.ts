import { ApiError } from '@nxmesh/api/errors'
import type { WorkspaceConfig } from '@nxmesh/model/agent-config'
import type { VirtualHost } from '@nxmesh/model/virtual-host'
import { lostNames } from '@nxmesh/nginx/shared-names'

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

/** Throws CONFLICT where a change takes a variable or zone away that virtual hosts use; `field` is the one of the request that does it. */
export function requireNamesKept(before: WorkspaceConfig, after: Pick<WorkspaceConfig, 'virtual_hosts' | 'settings'>, field: string): void {
  const details = lostNames(before, after).map(({ name, host, field: user }) => ({
    field,
    message: `${name} is used by virtual host "${host.name}" (${host.id}) in ${user} and would no longer be defined`,
    code: 'IN_USE' as const,
  }))
  if (details.length > 0) throw new ApiError('CONFLICT', 'virtual hosts use what this would take away', details)
}
