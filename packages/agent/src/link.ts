import { setTimeout as delay } from 'node:timers/promises'
import type { StatusReport } from './ledger.ts'
import type { LinkParts } from './link/parts.ts'
import { parseAddress } from './link/registration.ts'
import { runSession, type Session, type SessionEnd } from './link/session.ts'
import { backoff } from './plan.ts'
import { openTrust } from './trust.ts'

export interface Link extends AsyncDisposable {
  report(status: StatusReport): void
  sendHealth(): Promise<void>
  /** Sent while there is a session; who joins later learns of it from the next health report. */
  event(type: string, data: Record<string, string>): void
  readonly connected: boolean
}

const refusedPauseMs = 60_000
const steadyMs = 5000

/** Keeps a session with the master for as long as the agent runs: joins, joins again after a loss, and goes on trying while the master is away. */
export async function linkToMaster(parts: LinkParts): Promise<Link> {
  const { log, options, paths } = parts
  const stopping = new AbortController()
  const trust = await openTrust({ paths, master: parseAddress(options.master), token: options.token, caFile: options.caFile })
  let session: Session | undefined
  let lastWords = ''

  async function once(): Promise<SessionEnd> {
    try {
      const credentials = await trust.credentials()
      return await runSession(parts, trust, credentials, onReady, stopping.signal)
    } catch (cause) {
      return { kind: 'lost', message: (cause as Error).message, registered: false }
    } finally {
      session = undefined
    }
  }

  function onReady(ready: Session): void {
    session = ready
    lastWords = ''
    log('info', 'joined the master', { master: options.master })
  }

  const loop = (async () => {
    let attempt = 0
    while (!stopping.signal.aborted) {
      const began = performance.now()
      const end = await once()
      if (stopping.signal.aborted) return
      attempt = end.registered && performance.now() - began > steadyMs ? 0 : attempt + 1
      const random = Math.random()
      const wait =
        end.kind === 'refused'
          ? backoff(0, { firstMs: refusedPauseMs, maxMs: refusedPauseMs, random })
          : backoff(attempt, { firstMs: 200, maxMs: 15_000, random })
      // The same words are said once, not at every attempt.
      if (end.message !== lastWords) log(end.kind === 'refused' ? 'error' : 'warn', explainEnd(end), { master: options.master })
      lastWords = end.message
      await delay(wait, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()

  return {
    get connected() {
      return session !== undefined
    },
    report: (status) => session?.report(status),
    sendHealth: async () => session?.sendHealth(),
    event: (type, data) => session?.event(type, data),
    async [Symbol.asyncDispose]() {
      stopping.abort()
      await loop
    },
  }
}

function explainEnd(end: SessionEnd): string {
  if (end.kind === 'refused')
    return `the master refuses this agent: ${end.message}; nginx goes on serving, and the agent asks again every minute`
  return end.registered
    ? `the session with the master is lost: ${end.message}; nginx goes on serving`
    : `the master cannot be joined yet: ${end.message}; nginx goes on serving`
}
