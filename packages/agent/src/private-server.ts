import { parseStubStatus, type StubStatus } from './telemetry/stub-status.ts'
import { askUnixSocket } from './unix-http.ts'

export interface Serving {
  digest: string
  worker: number
}

/** The server that each config holds for the agent alone, on a unix socket. */
export interface PrivateServer {
  /** How often it was asked: nginx counts these requests like any other. */
  readonly asked: number
  /** Asks whichever worker answers first which config it serves. */
  serving(timeoutMs?: number): Promise<Serving | undefined>
  stubStatus(): Promise<StubStatus | undefined>
}

export function privateServer(socket: string): PrivateServer {
  let asked = 0

  async function question(target: string, timeoutMs?: number): Promise<string | undefined> {
    const body = await askUnixSocket(socket, target, timeoutMs)
    if (body !== undefined) asked++
    return body
  }

  return {
    get asked() {
      return asked
    },
    async serving(timeoutMs) {
      const parts = /^(\S+) (\d+)\s*$/.exec((await question('/digest', timeoutMs)) ?? '')
      return parts ? { digest: parts[1]!, worker: Number(parts[2]) } : undefined
    },
    async stubStatus() {
      const body = await question('/stub_status')
      return body === undefined ? undefined : parseStubStatus(body)
    },
  }
}
