import { createHash } from 'node:crypto'
import type { LimitConnOptions, LimitReqOptions } from '@nxmesh/model/options/limits'
import { line, type OptionLine } from './line.ts'

const perAddress = '$binary_remote_addr'
const tooMany = 429

/** Source: nginx limit_req module. */
export function limitReqLines({ rate, burst, nodelay, dry_run }: LimitReqOptions, place: string): OptionLine[] {
  const zone = zoneName('req', place)
  const how = `${burst > 0 ? ` burst=${burst}` : ''}${burst > 0 && nodelay ? ' nodelay' : ''}`
  return [
    ...line('limit_req', 'limit_req', `zone=${zone}${how}`, `limit_req_zone ${perAddress} zone=${zone}:10m rate=${rate};`),
    ...line('limit_req', 'limit_req_status', tooMany),
    ...line('limit_req.dry_run', 'limit_req_dry_run', dry_run),
  ]
}

/** Source: nginx limit_conn module. */
export function limitConnLines({ connections, dry_run }: LimitConnOptions, place: string): OptionLine[] {
  const zone = zoneName('conn', place)
  return [
    ...line('limit_conn.connections', 'limit_conn', `${zone} ${connections}`, `limit_conn_zone ${perAddress} zone=${zone}:10m;`),
    ...line('limit_conn', 'limit_conn_status', tooMany),
    ...line('limit_conn.dry_run', 'limit_conn_dry_run', dry_run),
  ]
}

// Each place counts for itself. A running nginx keeps a zone by its name and refuses another key for it, so that the key is in the name.
function zoneName(kind: string, place: string): string {
  const hash = createHash('sha256').update(`${perAddress} ${place}`).digest('hex').slice(0, 16)
  return `nxmesh_${kind}_${hash}`
}
