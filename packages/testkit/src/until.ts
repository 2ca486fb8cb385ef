import { setTimeout as delay } from 'node:timers/promises'

/** Asks until the answer is neither undefined, null nor false, and returns it; fails with the last error once `seconds` have passed. */
export async function until<T>(what: string, ask: () => Promise<T> | T, seconds = 30): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + seconds * 1000
  let last: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== undefined && answer !== null && answer !== false) return answer as NonNullable<Exclude<T, false>>
      last = undefined
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline) throw new Error(`gave up after ${seconds} s waiting for: ${what}`, { cause: last })
    await delay(10)
  }
}
