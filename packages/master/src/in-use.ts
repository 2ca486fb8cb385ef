import { ApiError } from '@nxmesh/api/errors'
import type { ServedHosts, WorkspaceConfig } from '@nxmesh/model/agent-config'
import { lostNames } from '@nxmesh/nginx/shared-names'

/** Throws CONFLICT with one detail for each host that uses what is to be deleted. */
export function requireUnused(what: string, { virtual_hosts, stream_hosts }: ServedHosts): void {
  const detail = (kind: string) => (host: { id: string; name: string }) => ({
    field: 'id',
    message: `is used by ${kind} "${host.name}" (${host.id})`,
    code: 'IN_USE' as const,
  })
  const details = [...virtual_hosts.map(detail('virtual host')), ...stream_hosts.map(detail('stream host'))]
  if (details.length === 0) return
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
