import { isOn } from './level.ts'
import { firstName } from './variables.ts'
import type { Visit } from './visit.ts'

/** The Location header as the client gets it: nginx puts scheme, name and port before a path unless `absolute_redirect` is off. Source: nginx, ngx_http_header_filter. */
export function locationHeader(visit: Visit, location: string): string {
  if (!location.startsWith('/') || !isOn(visit.level, 'absolute_redirect', true)) return location
  const { scheme, port } = visit.incoming
  const host = isOn(visit.level, 'server_name_in_redirect', false) ? firstName(visit) : visit.host
  const standard = scheme === 'https' ? 443 : 80
  const suffix = isOn(visit.level, 'port_in_redirect', true) && port !== standard ? `:${port}` : ''
  return `${scheme}://${host}${suffix}${location}`
}
