/** Numbers that were taken, as ranges with both ends in them, in order and apart from each other. */
export type Ranges = [first: number, last: number][]

const mostRanges = 1000

/** Whether a number is among them. */
export function isTaken(ranges: Ranges, number: number): boolean {
  return ranges.some(([first, last]) => first <= number && number <= last)
}

/**
 * Adds ranges. A sender that follows the rules leaves few gaps, so what has too many forgets the lowest of them: they count as taken.
 */
export function take(ranges: Ranges, added: Ranges): Ranges {
  const merged: Ranges = []
  for (const [first, last] of [...ranges, ...added].toSorted((a, b) => a[0] - b[0])) {
    const before = merged.at(-1)
    if (before && first <= before[1] + 1) before[1] = Math.max(before[1], last)
    else merged.push([first, last])
  }
  const surplus = merged.length - mostRanges
  return surplus > 0 ? [[merged[0]![0], merged[surplus]![1]], ...merged.slice(surplus + 1)] : merged
}
