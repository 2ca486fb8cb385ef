import type { Header } from '@nxmesh/model/location'

export type HeaderDirection = 'request' | 'response' | 'both'

/**
 * Tells who gets a custom header: the upstream (`request`), the client (`response`) or both.
 *
 * 1. `direction`, when given, decides.
 * 2. `always: true` means the response: the word only exists for `add_header`.
 * 3. In a location that does not proxy there is no request to send on: the response.
 * 4. Otherwise the name decides: names of request fields go to the upstream, names of response fields to the client.
 * 5. A name that neither list knows goes both ways, so that it has an effect whichever was meant. Names that look like
 *    credentials count as request fields, so that a secret for the upstream is never shown to clients.
 *
 * Source of the names: IANA HTTP Field Name Registry.
 */
export function headerDirection(header: Pick<Header, 'name' | 'always' | 'direction'>, proxies: boolean): HeaderDirection {
  if (header.direction !== undefined) return header.direction
  if (header.always || !proxies) return 'response'
  const name = header.name.toLowerCase()
  if (responseNames.has(name) || responsePattern.test(name)) return 'response'
  if (requestNames.has(name) || requestPattern.test(name) || credentialPattern.test(name)) return 'request'
  return 'both'
}

const requestNames = new Set([
  'host',
  'x-real-ip',
  'forwarded',
  'authorization',
  'cookie',
  'connection',
  'upgrade',
  'user-agent',
  'referer',
  'origin',
  'x-request-id',
  'x-correlation-id',
  'traceparent',
  'tracestate',
  'te',
  'range',
  'expect',
  'from',
  'via',
])
const requestPattern = /^(x-forwarded-|accept|proxy-|if-|sec-websocket-)/
const credentialPattern = /auth|token|secret|api-?key|password/

const responseNames = new Set([
  'strict-transport-security',
  'x-frame-options',
  'content-security-policy',
  'content-security-policy-report-only',
  'referrer-policy',
  'permissions-policy',
  'feature-policy',
  'cache-control',
  'set-cookie',
  'server',
  'vary',
  'expires',
  'age',
  'etag',
  'last-modified',
  'pragma',
  'x-content-type-options',
  'x-xss-protection',
  'x-robots-tag',
  'x-download-options',
  'x-permitted-cross-domain-policies',
  'x-powered-by',
  'x-cache',
  'alt-svc',
  'retry-after',
  'location',
  'www-authenticate',
  'proxy-authenticate',
  'accept-ranges',
  'accept-ch',
  'content-disposition',
  'content-language',
  'content-type',
  'clear-site-data',
  'server-timing',
  'timing-allow-origin',
  'report-to',
  'reporting-endpoints',
  'nel',
  'link',
  'origin-agent-cluster',
])
const responsePattern = /^(access-control-(allow|expose|max)-|cross-origin-)/

const securityNames = new Set([
  'strict-transport-security',
  'x-frame-options',
  'content-security-policy',
  'referrer-policy',
  'permissions-policy',
  'x-content-type-options',
  'x-xss-protection',
  'x-robots-tag',
  'cross-origin-opener-policy',
  'cross-origin-embedder-policy',
  'cross-origin-resource-policy',
])

/** Tells whether a response header protects the client and so belongs on error pages too (`add_header … always`). */
export function protectsClient(name: string): boolean {
  return securityNames.has(name.toLowerCase())
}

const repeatable = new Set(['set-cookie', 'link', 'vary', 'www-authenticate', 'via', 'warning', 'server-timing'])

/** Tells whether a response may carry a header several times, so that ours joins the upstream's rather than replacing it. */
export function mayRepeat(name: string): boolean {
  return repeatable.has(name.toLowerCase())
}

/** Tells whether text is the name of a header. Source: RFC 9110, section 5.6.2. */
export function isHeaderName(text: string): boolean {
  return /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(text)
}
