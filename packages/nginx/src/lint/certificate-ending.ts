import { found, type LintFinding } from './finding.ts'
import type { LintSubject } from './subject.ts'

const source = 'https://datatracker.ietf.org/doc/html/rfc5280#section-4.1.2.5'
const ending = { severity: 'warning', code: 'certificate_ending', source } as const
const ended = { severity: 'error', code: 'certificate_ended', source } as const

const day = 86_400_000
const soon = 30

/** Certificates that end within thirty days, or have ended, and that nothing renews. */
export function certificateEnding({ certificates, virtual_hosts, stream_hosts, now }: LintSubject): LintFinding[] {
  return certificates.flatMap(({ id, name, provider, auto_renew, expires_at }) => {
    const isRenewed = auto_renew && provider !== 'uploaded'
    const left = expires_at === null ? Number.POSITIVE_INFINITY : Date.parse(expires_at) - now
    if (isRenewed || left > soon * day) return []
    const users = [...virtual_hosts, ...stream_hosts].filter((host) => host.ssl_enabled && host.ssl_certificate_id === id).length
    const shown = users === 0 ? '' : `, and ${users === 1 ? 'one host shows' : `${users} hosts show`} it`
    const object = { kind: 'certificate', id, name } as const
    const fix =
      provider === 'uploaded'
        ? 'upload its successor, or get one that is renewed by itself from an ACME provider'
        : 'turn auto_renew on, or renew it by POST /certificates/{certificate_id}/renew'
    if (left <= 0) return [found(ended, object, 'expires_at', `ended at ${expires_at}${shown}: clients refuse it`, fix)]
    return [
      found(
        ending,
        object,
        provider === 'uploaded' ? 'expires_at' : 'auto_renew',
        `ends at ${expires_at}${shown}, and nothing renews it`,
        fix,
      ),
    ]
  })
}
