import type { ConfigVirtualHost } from '@nxmesh/model/agent-config'
import type { Location } from '@nxmesh/model/location'
import { splitPath } from '@nxmesh/model/location-path'
import { hiddenErrors } from '../check-status-codes.ts'
import type { Statement } from './custom-directives.ts'
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
  if (redirect !== undefined && decodedUri.test(redirect)) reportOn(report, 'warning', host, `${field}.custom_directives.return`, splitting)
}

/** Warns of custom directives of one level that do more than they seem to; `field` is where they stand. */
export function lintDirectives(report: Report, host: ConfigVirtualHost, custom: ReadonlyMap<string, Statement>, field: string): void {
  for (const { name, args } of custom.values()) {
    const hidden = hiddenErrors(name, args)
    if (hidden !== undefined) reportOn(report, 'warning', host, `${field}.${name}`, hidden)
    if (ofThePort.has(name) && !host.ssl_enabled) reportOn(report, 'warning', host, `${field}.${name}`, untilHost)
  }
}

// With TLS the client names the host in the handshake. Source: nginx, ngx_http_process_request_headers.
const ofThePort = new Set(['underscores_in_headers', 'ignore_invalid_headers'])
const untilHost =
  'holds only for headers that come after Host, as nginx does not know before which host is meant: set it in nginx_directives of the settings'

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
