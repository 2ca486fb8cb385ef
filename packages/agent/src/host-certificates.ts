import { join } from 'node:path'
import { type FoundCertificate, openFoundCertificates } from './found-certificates.ts'
import { explain } from './reconcile.ts'
import type { Scope } from './scope.ts'

/** The certificates of the host's own nginx, looked at again and again. */
export interface HostCertificates extends Disposable {
  /** As they were last; the same list while nothing has changed. */
  readonly certificates: FoundCertificate[]
}

const every = 600_000

/** @param main The host's own nginx.conf; without one there is nothing to look at. */
export function openHostCertificates(
  { paths, log }: Pick<Scope, 'paths' | 'log'>,
  main: string | undefined,
  interval = every,
): HostCertificates {
  let certificates: FoundCertificate[] = []
  if (main === undefined) return { certificates, [Symbol.dispose]: () => undefined }
  const found = openFoundCertificates(main, join(paths.current, 'http.conf'))
  const look = () =>
    found.look().then(
      (now) => {
        if (JSON.stringify(now) !== JSON.stringify(certificates)) certificates = now
      },
      (cause: unknown) => log('error', 'the certificates of the host could not be looked at', { error: explain(cause) }),
    )
  void look()
  const timer = setInterval(() => void look(), interval)
  timer.unref()
  return {
    get certificates() {
      return certificates
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
