import { setTimeout as delay } from 'node:timers/promises'
import { get } from './get.ts'

export interface Load {
  /** Ends the load and tells how it went. */
  stop(): Promise<{ requests: number; failures: string[] }>
}

/** Requests a virtual host over and over, a few at a time, each over a new connection, and keeps every answer that is not `expected`. */
export function startLoad(port: number, host: string, expected: (body: string) => boolean, parallel = 4): Load {
  let going = true
  let requests = 0
  const failures: string[] = []
  async function run() {
    while (going) {
      try {
        const answer = await get(port, host)
        if (answer.status !== 200 || !expected(answer.body)) failures.push(`${answer.status} ${answer.body.slice(0, 200)}`)
      } catch (error) {
        failures.push(String(error))
      }
      requests++
      // Leaves the machine to what is tested.
      await delay(2)
    }
  }
  const runs = Array.from({ length: parallel }, run)
  return {
    async stop() {
      going = false
      await Promise.all(runs)
      return { requests, failures }
    },
  }
}
