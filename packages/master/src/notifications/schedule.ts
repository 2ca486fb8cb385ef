const day = 86_400

/** How often something is tried in all: the last time two to three days after the first. */
export const mostAttempts = 9

/** Seconds to wait after an attempt, counted from 1: 5 s, then five times as long each time, up to a day; a fifth more or less, so that what failed together does not come back together. */
export function backoff(attempt: number, random: () => number = Math.random): number {
  const seconds = Math.min(day, 5 ** attempt)
  return Math.max(1, Math.round(seconds * (0.8 + 0.4 * random())))
}

/** Seconds that a Retry-After header asks for, at most a day; 0 where it says nothing. Source: RFC 9110 section 10.2.3. */
export function retryAfterOf(header: string | undefined, now: number): number {
  if (header === undefined) return 0
  const asked = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - now) / 1000)
  return Number.isNaN(asked) ? 0 : Math.min(day, Math.max(0, asked))
}
