import type { ConfigVirtualHost } from '@nxmesh/model/agent-config'
import { portOf } from '@nxmesh/model/listen-address'
import { parseServerNames } from '@nxmesh/model/server-name'
import { quote, template } from '../quote.ts'
import { locationKey, locationPattern } from './location-path.ts'
import type { Rendering } from './rendering.ts'
import { reportOn } from './report.ts'
import type { LineSource } from './writer.ts'

const indent = '    '

/** Writes the redirects that come before any location: to the canonical name, and by regular expressions in their order. */
export function writeServerRedirects(rendering: Rendering, host: ConfigVirtualHost, source: LineSource): void {
  const { redirect } = host
  const { writer } = rendering
  if (!redirect) return
  const canonical = canonicalName(host)
  if (canonical !== undefined) {
    writer.from({ ...source, field: 'redirect.canonical_name' })
    writer.line(`${indent}if ($host != ${quote(canonical)}) {`)
    writer.line(`${indent}${indent}return ${redirect.status} $scheme://${canonical}${portSuffix(rendering, host)}$request_uri;`)
    writer.line(`${indent}}`)
  } else if (redirect.canonical_name !== undefined)
    reportOn(rendering.report, 'error', host, 'redirect.canonical_name', 'is left out: it is none of the names in server_name')
  for (const [at, { from, to, status }] of redirect.rules.entries()) {
    const regex = regexOf(from)
    if (regex === undefined) continue
    // `rewrite` encodes the groups of a decoded path, `return` would put them into the header as they are.
    const address = template(encoded(to) + (hasQuery(to) ? '?' : ''))
    writer.from({ ...source, field: `redirect.rules.${at}` })
    writer.line(`${indent}rewrite ${quote(regex)} ${address} ${status === 302 ? 'redirect' : 'permanent'};`)
  }
}

/** Writes the locations of redirects: of whole paths, and of everything that no location of the host answers. They are noted in `taken`. */
export function writeRedirectLocations({ writer }: Rendering, host: ConfigVirtualHost, source: LineSource, taken: Set<string>): void {
  const { redirect } = host
  if (!redirect) return
  const write = (field: string, location: string, status: number, address: string) => {
    writer.from({ ...source, field })
    writer.line(`${indent}location ${location} {`)
    writer.line(`${indent}${indent}return ${status} ${address};`)
    writer.line(`${indent}}`)
  }
  for (const [at, { from, to, status }] of redirect.rules.entries()) {
    const path = `= ${from}`
    if (regexOf(from) !== undefined || taken.has(locationKey(path))) continue
    taken.add(locationKey(path))
    const query = hasQuery(to) ? '' : '$is_args$args'
    write(`redirect.rules.${at}`, `= ${quote(locationPattern(path))}`, status, quote(encoded(to) + query))
  }
  if (redirect.to === undefined || host.locations.some(({ path }) => locationKey(path) === '/')) return
  const address = encoded(redirect.to)
  const target = redirect.keep_path ? `${address.replace(/\/$/, '')}$request_uri` : address
  write('redirect.to', '/', redirect.status, quote(target))
  taken.add('/')
}

/** The regular expression of a rule's `from`, or undefined where that is a whole path. */
export function regexOf(from: string): string | undefined {
  const parts = /^(~\*?) *(.*)$/s.exec(from)
  if (!parts) return undefined
  return `${parts[1] === '~*' ? '(?i)' : ''}${parts[2]}`
}

/** The canonical name as nginx compares it, or undefined where it is none of the host's own. */
export function canonicalName({ redirect, server_name }: Pick<ConfigVirtualHost, 'redirect' | 'server_name'>): string | undefined {
  if (redirect?.canonical_name === undefined) return undefined
  const [all, one] = [parseServerNames(server_name), parseServerNames(redirect.canonical_name)]
  if (!all.ok || !one.ok || one.names.length !== 1) return undefined
  const [name] = one.names
  return name !== undefined && /^[a-z0-9]/.test(name) && !name.includes('*') && all.names.includes(name) ? name : undefined
}

// A host on the port that plain HTTP or TLS reaches from outside is asked for without it.
function portSuffix({ httpPort }: Rendering, { listen_port, listen_addresses, ssl_enabled }: ConfigVirtualHost): string {
  // Which port leads to a unix socket is not known here.
  if (portOf({ listen_port, listen_addresses }) === 0) return ''
  return listen_port === (ssl_enabled ? 443 : httpPort) ? '' : `:${listen_port}`
}

function hasQuery(address: string): boolean {
  return /[?#]/.test(address)
}

function encoded(address: string): string {
  return address.replaceAll(/[^\x21-\x7e]+/gu, encodeURIComponent)
}
