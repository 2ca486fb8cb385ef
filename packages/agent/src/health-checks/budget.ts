/** How many reloads the checks may cost: some at once, then one as often as each comes back. */
export interface Budget {
  /** How long to wait, in milliseconds, until one more reload is due. */
  wait(now: number): number
  take(now: number): void
}

export function reloadBudget({ atOnce, everyMs }: { atOnce: number; everyMs: number }): Budget {
  let tokens = atOnce
  let counted = Number.NEGATIVE_INFINITY

  function refill(now: number): void {
    tokens = Math.min(atOnce, tokens + (now - counted) / everyMs)
    counted = now
  }

  return {
    wait(now) {
      refill(now)
      return tokens >= 1 ? 0 : Math.ceil((1 - tokens) * everyMs)
    },
    take(now) {
      refill(now)
      tokens -= 1
    },
  }
}
