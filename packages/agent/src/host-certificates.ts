import { join } from 'node:path'
import { type FoundCertificate, openFoundCertificates } from './found-certificates.ts'
import { explain } from './reconcile.ts'
import type { Scope } from './scope.ts'

/** The certificates of the host's own nginx, looked at again and again. */
export interface HostCertificates extends Disposable {
  /** As they were last; the same list while nothing has changed. Undefined until they have been seen once. */
  readonly certificates: FoundCertificate[] | undefined
}

const every = 600_000

/** @param main The host's own nginx.conf; without one there is nothing to look at. */
export function openHostCertificates(
  { paths, log }: Pick<Scope, 'paths' | 'log'>,
  main: string | undefined,
  interval = every,
): HostCertificates {
  if (main === undefined) return { certificates: [], [Symbol.dispose]: () => undefined }
  const look = openFoundCertificates(main, join(paths.current, 'http.conf'))
  let certificates: FoundCertificate[] | undefined
  let trouble = ''
  let isLooking = false

  async function lookAgain() {
    if (isLooking) return
    isLooking = true
    try {
      const seen = await look()
      if (seen.ok && JSON.stringify(seen.found) !== JSON.stringify(certificates)) certificates = seen.found
      tell(seen.ok ? seen.leftOut.join('; ') : seen.reason)
    } catch (cause) {
      tell(explain(cause))
    } finally {
      isLooking = false
    }
  }

  // Said once, not every time it is seen again.
  function tell(reason: string) {
    if (reason !== trouble && reason !== '') log('warn', 'the certificates of the host are not all known', { error: reason.slice(0, 2000) })
    trouble = reason
  }

  void lookAgain()
  const timer = setInterval(() => void lookAgain(), interval)
  timer.unref()
  return {
    get certificates() {
      return certificates
    },
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
