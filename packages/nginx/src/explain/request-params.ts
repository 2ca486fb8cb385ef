import type { ExplainedHeader } from '@nxmesh/model/explanation'
import { regexOf } from '../pcre/regex.ts'
import { inherited, isOn, setting } from './level.ts'
import { type PlaceOf, text } from './places.ts'
import { expand } from './template.ts'
import { Unsure } from './unsure.ts'
import { ofClient, ofNginx, valueOrNull } from './upstream-headers.ts'
import { headerOf, type Visit } from './visit.ts'

/**
 * The parameters that an application gets: those set here or inherited, and the client's headers as HTTP_….
 * Source: nginx, ngx_http_fastcgi_create_request, and those of uwsgi and scgi.
 */
export function requestParams(visit: Visit, protocol: 'fastcgi' | 'uwsgi' | 'scgi', placeOf: PlaceOf): ExplainedHeader[] {
  const set = inherited(visit.level, `${protocol}_param`)
  const params = set.flatMap((node): ExplainedHeader[] => {
    const [name = '', written = '', condition] = node.args
    const value = valueOrNull(() => expand(visit, written, node))
    if (value === '' && condition === 'if_not_empty') return []
    return [{ name: text(name), value, from: 'directive', only_if_status: false, place: placeOf(node) }]
  })
  // Of the body as nginx sends it, which what happened before may have dropped.
  if (protocol === 'scgi') params.unshift(ofNginx('CONTENT_LENGTH', visit.incoming.headers.has('content-length') ? null : '0'))
  const names = new Set(set.map(({ args }) => args[0]))
  const headers = isOn(visit.level, `${protocol}_pass_request_headers`, true)
  if (!names.has('HTTP_HOST')) params.push(ofNginx('HTTP_HOST', headers ? hostParam(visit) : null))
  if (!headers) return params
  names.add('HTTP_HOST')
  for (const [header, values] of visit.incoming.headers) {
    const name = `HTTP_${header.toUpperCase().replaceAll('-', '_')}`
    if (!names.has(name)) params.push(...values.map((value) => ofClient(name, value)))
  }
  return params
}

// The header as it came, since 1.29.5 the name and port that it was read as, and then also where no headers are passed.
function hostParam(visit: Visit): string | null {
  const written = headerOf(visit, 'host')
  const read = visit.variable('host') + (/:\d+$/.exec(written)?.[0] ?? '')
  return written === read ? text(written) : null
}

/** What `$fastcgi_script_name` and `$fastcgi_path_info` hold. Source: nginx, ngx_http_fastcgi_split. */
export function fastcgiScript(visit: Visit): { name: string; pathInfo: string } {
  const split = splitPath(visit)
  const index = setting(visit.level, 'fastcgi_index')?.args[0] ?? ''
  return split.name.endsWith('/') ? { ...split, name: split.name + index } : split
}

function splitPath({ level, uri, effort }: Visit): { name: string; pathInfo: string } {
  const node = setting(level, 'fastcgi_split_path_info')
  if (!node) return { name: uri, pathInfo: '' }
  const found = regexOf(node.args[0] ?? '', false).match(uri, effort)
  if (found.kind === 'unsure') throw new Unsure(found.why, node)
  return found.kind === 'match' ? { name: found.groups[1] ?? '', pathInfo: found.groups[2] ?? '' } : { name: uri, pathInfo: '' }
}
