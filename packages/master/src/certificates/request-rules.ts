import { isIP } from 'node:net'
import type { CertificateInput } from '@nxmesh/model/certificate'
import { covers } from '@nxmesh/model/certificate-name'
import type { Problem } from '@nxmesh/model/problem'

type Said = Omit<CertificateInput, 'domain'>

/** Whether certificates of a provider are ordered from an ACME server. */
export function isOrdered(provider: CertificateInput['provider']): boolean {
  return provider === 'letsencrypt' || provider === 'letsencrypt_staging' || provider === 'acme'
}

/** All names of a certificate, the domain first, each once. */
export function namesOf(input: Pick<CertificateInput, 'domain' | 'names'>): string[] {
  return [...new Set([input.domain, ...input.names])]
}

/** How a CA is shown the names where nobody has said it. */
export function challengeOf(input: Said): CertificateInput['challenge'] {
  if (!isOrdered(input.provider)) return null
  return input.challenge ?? (input.dns_provider_id === null ? 'http-01' : 'dns-01')
}

/** What does not go together in what somebody says of a certificate. */
export function requestProblems(input: CertificateInput): Problem[] {
  const { provider } = input
  const problems: Problem[] = []
  const add = (field: string, message: string, code: Problem['code'] = 'INVALID_VALUE') => problems.push({ field, message, code })
  const only = (field: keyof Said, whose: string) => {
    if (input[field] !== null) add(field, `is only for ${whose}`, 'NOT_ALLOWED')
  }
  for (const field of ['certificate_pem', 'private_key_pem'] as const) {
    if (provider !== 'uploaded') only(field, 'provider uploaded')
    else if (input[field] === null) add(field, 'is required for provider uploaded', 'REQUIRED')
  }
  if (!isOrdered(provider))
    for (const field of ['challenge', 'dns_provider_id', 'profile'] as const) only(field, 'certificates of an ACME server')
  if (provider !== 'acme') only('acme_account_id', 'provider acme')
  if (isOrdered(provider)) problems.push(...challengeProblems(input))
  return problems
}

function challengeProblems(input: CertificateInput): Problem[] {
  const names = namesOf(input)
  const challenge = challengeOf(input)
  const wildcard = names.find((name) => name.startsWith('*.'))
  const address = names.find((name) => isIP(name) > 0)
  const problems: Problem[] = []
  if (challenge === 'dns-01' && input.dns_provider_id === null) {
    problems.push({ field: 'dns_provider_id', message: 'is required for dns-01', code: 'REQUIRED' })
  }
  if (challenge === 'http-01' && input.dns_provider_id !== null) {
    problems.push({ field: 'dns_provider_id', message: 'is only for dns-01', code: 'NOT_ALLOWED' })
  }
  if (challenge === 'http-01' && wildcard !== undefined) {
    const message = `must be dns-01, with a dns_provider_id: no CA takes another proof for ${wildcard}`
    problems.push({ field: 'challenge', message, code: 'INVALID_VALUE' })
  }
  if (challenge === 'dns-01' && address !== undefined) {
    problems.push({ field: 'challenge', message: `must be http-01: ${address} is no name of the DNS`, code: 'INVALID_VALUE' })
  }
  if (names.length > 100) problems.push({ field: 'names', message: 'must be at most 100 names with the domain', code: 'TOO_LONG' })
  return problems
}

/** The names that somebody wants of a certificate and that it is not for. */
export function uncoveredProblems(input: Pick<CertificateInput, 'domain' | 'names'>, names: readonly string[]): Problem[] {
  return namesOf(input).flatMap((wanted, index): Problem[] => {
    if (names.some((name) => covers(name, wanted))) return []
    const field = index === 0 ? 'domain' : `names.${input.names.indexOf(wanted)}`
    return [{ field, message: `the certificate is not for ${wanted}, but for ${names.join(', ')}`, code: 'INVALID_VALUE' }]
  })
}
