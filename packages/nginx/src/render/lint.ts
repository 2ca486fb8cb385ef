import type { ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { Location } from '@nxmesh/model/location'
import { splitPath } from '@nxmesh/model/location-path'
import { guardsOf } from './guards.ts'
import { hasUri } from './location-content.ts'
import { type Report, reportOn } from './report.ts'

const decodedUri = /\$(?:\{(?:document_)?uri\}|(?:document_)?uri(?![A-Za-z0-9_]))/

/** Warns of what nginx accepts but few people mean. */
export function lintLocation(report: Report, host: ConfigVirtualHost, location: Location, field: string): void {
  if (location.proxy_pass !== undefined) lintProxyPass(report, host, location, location.proxy_pass, field)
  for (const [at, header] of location.custom_headers.entries()) {
    if (header.value.includes('$') && decodedUri.test(header.value))
      reportOn(report, 'warning', host, `${field}.custom_headers.${at}.value`, splitting)
  }
  const redirect = location.custom_directives.return
  const guards = redirect === undefined ? [] : guardsOf(host)
  if (guards.length > 0)
    reportOn(
      report,
      'warning',
      host,
      `${field}.custom_directives.return`,
      `answers before nginx comes to ${guards.join(' and ')} of the virtual host`,
    )
  const alias = aliasProblem(location)
  if (alias !== undefined) reportOn(report, 'warning', host, `${field}.custom_directives.alias`, alias)
  if (redirect !== undefined && decodedUri.test(redirect)) reportOn(report, 'warning', host, `${field}.custom_directives.return`, splitting)
}

/** Says why nginx would give out files beside those of an `alias`, if it would. Source: nginx core module, "alias". */
export function aliasProblem({ path, custom_directives }: Pick<Location, 'path' | 'custom_directives'>): string | undefined {
  const { modifier, pattern } = splitPath(path)
  const alias = custom_directives.alias?.replace(/[\s;"']+$/, '')
  if (alias === undefined || (modifier !== '' && modifier !== '^~') || pattern.endsWith('/') || !alias.endsWith('/')) return undefined
  return `gives out what lies beside that folder too: "${pattern}../x" would be asked for. End the path of the location with "/"`
}

const splitting = 'holds $uri, which is decoded: an encoded line break in a request adds header lines to the answer. Use $request_uri'

function lintProxyPass(report: Report, host: ConfigVirtualHost, location: Location, address: string, field: string): void {
  const { modifier, pattern } = splitPath(location.path)
  const warn = (message: string) => reportOn(report, 'warning', host, `${field}.proxy_pass`, message)
  if (!hasUri(address)) return
  if (address.includes('$')) {
    const uri = address.replace(/^https?:\/\/[^/?]+/, '')
    if (!uri.includes('$'))
      warn(`sends exactly "${uri}" for every request, as the address holds a variable. Append $request_uri to pass on what was asked for`)
    return
  }
  const withSlash = address.endsWith('/')
  if (
    (modifier === '' || modifier === '^~') &&
    pattern.endsWith('/') !== withSlash &&
    pattern !== address.replace(/^https?:\/\/[^/]+/, '')
  ) {
    const rest = pattern.endsWith('/') ? `${pattern}x` : `${pattern}/x`
    warn(
      `asks for "${address.replace(/^https?:\/\/[^/]+/, '')}${rest.slice(pattern.length)}" when "${rest}" is requested: end both the path and the address with "/", or neither`,
    )
  }
}
