import { setTimeout as delay } from 'node:timers/promises'
import { type FoundCertificate, replaceFound } from '../certificates/found.ts'
import type { Ctx } from '../ctx.ts'

/** Writes what one agent finds: the newest list stays, and one that could not be written is written later, as the agent does not tell it twice. */
export interface FoundWriter {
  write(found: FoundCertificate[]): void
  close(): void
}

const pauses = [1000, 5000, 15_000, 60_000]

export function openFoundWriter(ctx: Pick<Ctx, 'db' | 'now' | 'log'>, agentId: string): FoundWriter {
  const closed = new AbortController()
  let newest: FoundCertificate[] | undefined
  let isWriting = false

  async function writeNewest() {
    isWriting = true
    for (let failures = 0; newest && !closed.signal.aborted; ) {
      const found = newest
      try {
        await replaceFound(ctx, agentId, found)
        if (newest === found) newest = undefined
        failures = 0
      } catch (error) {
        if (failures === 0) ctx.log.warn({ err: error, agent: agentId }, 'the certificates of a host were not written, and will be later')
        const pause = pauses[Math.min(failures++, pauses.length - 1)]
        await delay(pause, undefined, { signal: closed.signal, ref: false }).catch(() => undefined)
      }
    }
    isWriting = false
  }

  return {
    write(found) {
      newest = found
      if (!isWriting) void writeNewest()
    },
    close: () => closed.abort(),
  }
}
