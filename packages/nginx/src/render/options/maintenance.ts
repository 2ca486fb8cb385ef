import { createHash } from 'node:crypto'
import type { MaintenanceOptions } from '@nxmesh/model/options/maintenance'

/** How a host in maintenance is written: a variable that says when to come back, and nothing to those who are served. */
export interface Maintenance {
  variable: string
  shared: string
}

/** Undefined where the host serves as ever. Source: nginx geo module. */
export function maintenanceOf(options: MaintenanceOptions | undefined): Maintenance | undefined {
  if (!options?.enabled) return undefined
  const { retry_after, allow } = options
  const hash = createHash('sha256')
    .update(JSON.stringify([retry_after, allow]))
    .digest('hex')
    .slice(0, 16)
  const variable = `$nxmesh_retry_after_${hash}`
  const served = [...new Set(allow)].map((network) => `    ${network} "";\n`)
  return { variable, shared: `geo ${variable} {\n    default ${retry_after};\n${served.join('')}}` }
}
