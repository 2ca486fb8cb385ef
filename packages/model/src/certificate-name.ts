import { z } from 'zod'
import { parseServerNames } from './server-name.ts'

/** A name that a certificate may be for: a host name, `*.` and a host name, or an IP address; lower-cased, in A-label form. */
export const certificateName = z
  .string()
  .max(1000, 'must be at most 1000 characters')
  .transform((text, ctx) => {
    const name = normalised(text)
    if (name !== undefined) return name
    ctx.addIssue({
      code: 'custom',
      message: 'must be a host name (www.example.com), a wildcard (*.example.com) or an IP address',
      params: { code: 'INVALID_FORMAT' },
    })
    return z.NEVER
  })

function normalised(text: string): string | undefined {
  if (z.ipv4().safeParse(text).success) return text
  if (z.ipv6().safeParse(text).success) return new URL(`http://[${text}]`).hostname.slice(1, -1)
  const parsed = parseServerNames(text)
  const [name, ...others] = parsed.ok ? parsed.names : []
  if (name === undefined || others.length > 0) return undefined
  return /^(\*\.)?[a-z0-9_]/.test(name) && !name.endsWith('.*') && name !== '_' ? name : undefined
}

/** Whether a name of a certificate covers a host name: a wildcard stands for exactly one label. Source: RFC 9525 section 6.3. */
export function covers(certificateName: string, host: string): boolean {
  if (certificateName === host) return true
  if (!certificateName.startsWith('*.')) return false
  const dot = host.indexOf('.')
  return dot > 0 && host.slice(dot) === certificateName.slice(1)
}

/**
 * The names of a virtual host that a certificate does not cover. Of `.example.com` both the name and its subdomains are meant; regular
 * expressions and `_` match names that nobody can list, so nothing is said of them.
 */
export function uncovered(serverNames: readonly string[], certificateNames: readonly string[]): string[] {
  const wanted = serverNames.flatMap((name) => {
    if (name.startsWith('~') || name === '_' || name.endsWith('.*')) return []
    return name.startsWith('.') ? [name.slice(1), `*${name}`] : name
  })
  return wanted.filter((name) => !certificateNames.some((own) => covers(own, name)))
}
