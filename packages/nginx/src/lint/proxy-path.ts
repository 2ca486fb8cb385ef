import { hasUri } from '../render/location-content.ts'
import { found, type LintFinding } from './finding.ts'
import type { HostScope, LocationScope, Scope } from './scope.ts'

const source = 'https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_pass'
const constant = { severity: 'warning', code: 'constant_proxy_path', source } as const
const mismatch = { severity: 'warning', code: 'proxy_slash_mismatch', source } as const

/** nginx replaces the part of the URI that the location matched by the path of the address, letter by letter. */
export function proxyPath(scope: Scope): LintFinding[] {
  return scope.kind === 'settings' ? [] : scope.locations.flatMap((location) => inLocation(scope, location))
}

function inLocation({ object }: HostScope, { location: { proxy_pass: address }, modifier, pattern, field }: LocationScope): LintFinding[] {
  if (address === undefined || !hasUri(address)) return []
  const uri = address.replace(/^https?:\/\/(unix:[^:]+:?|[^/?]+)/, '')
  if (address.includes('$')) {
    if (uri.includes('$')) return []
    const reason = `sends exactly "${uri}" for every request, as the address holds a variable`
    return [found(constant, object, `${field}.proxy_pass`, reason, 'append $request_uri to pass on what was asked for')]
  }
  if ((modifier !== '' && modifier !== '^~') || pattern.endsWith('/') === address.endsWith('/') || pattern === uri) return []
  const asked = pattern.endsWith('/') ? `${pattern}x` : `${pattern}/x`
  const reason = `asks for "${uri}${asked.slice(pattern.length)}" when "${asked}" is requested`
  return [found(mismatch, object, `${field}.proxy_pass`, reason, 'end both the path and the address with "/", or neither')]
}
