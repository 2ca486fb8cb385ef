/** Lets so many in at once, the others in the order in which they came. */
export interface Turnstile {
  /** Waits for a place, which is free again when it is disposed; undefined when none was free within `patienceMs`. */
  enter(patienceMs?: number): Promise<Disposable | undefined>
}

export function openTurnstile(places: number): Turnstile {
  let free = places
  const waiting = new Set<() => void>()

  function leave() {
    const [next] = waiting
    if (!next) {
      free++
      return
    }
    waiting.delete(next)
    next()
  }

  return {
    async enter(patienceMs) {
      if (free > 0) {
        free--
        return { [Symbol.dispose]: leave }
      }
      const { promise, resolve } = Promise.withResolvers<boolean>()
      const come = () => resolve(true)
      waiting.add(come)
      const timer = patienceMs === undefined ? undefined : setTimeout(() => waiting.delete(come) && resolve(false), patienceMs)
      const admitted = await promise
      clearTimeout(timer)
      return admitted ? { [Symbol.dispose]: leave } : undefined
    },
  }
}
