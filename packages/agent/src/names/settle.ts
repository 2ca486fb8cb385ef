/** What is known of a name. Times are in milliseconds on one clock. */
export interface KnownName {
  /** Sorted; none until the name has stood for something. */
  addresses: readonly string[]
  /** An answer that differs, and since when it has been the same. */
  other?: { addresses: readonly string[]; since: number }
  /** When the name moved to other addresses altogether, and how long it must stay there. */
  moved?: { at: number; pauseMs: number }
}

const steadyMs = 45_000
const firstPauseMs = 30_000
const longestPauseMs = 3_600_000

export const unknownName: KnownName = { addresses: [] }

/**
 * Takes up an answer. A change may cost a reload, so a name that turns round a pool is not followed at every turn: an answer that
 * shares an address with what is used must stay the same for a while, and a name that moves again and again is followed ever more slowly.
 */
export function settled(known: KnownName, answer: readonly string[], now: number): KnownName {
  const { addresses, moved } = known
  if (addresses.length === 0) return { addresses: answer }
  if (isSame(answer, addresses)) return { addresses, ...(moved && now - moved.at < 2 * longestPauseMs && { moved }) }
  if (!answer.some((address) => addresses.includes(address))) {
    if (moved && now < moved.at + moved.pauseMs) return known
    return { addresses: answer, moved: { at: now, pauseMs: moved ? Math.min(longestPauseMs, moved.pauseMs * 2) : firstPauseMs } }
  }
  const since = known.other && isSame(known.other.addresses, answer) ? known.other.since : now
  const rest = moved && { moved }
  return now - since >= steadyMs ? { addresses: answer, ...rest } : { addresses, other: { addresses: answer, since }, ...rest }
}

function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((address, at) => address === b[at])
}
