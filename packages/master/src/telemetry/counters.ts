/** The last value of a counter, and where it came from. */
export interface Counter {
  value: number
  /** The number of its batch in the spool; 0 where there is no spool. */
  sequence: number
  time: number
}

/**
 * By how much a counter rose with a sample; undefined for a sample that says nothing new. `fromZero` says what a counter that was
 * not seen before rose from: zero, or whatever it was.
 */
export function increase(before: Counter | undefined, now: Counter, fromZero: boolean): number | undefined {
  if (!before) return fromZero ? now.value : 0
  // Its increase is already part of that of a later sample.
  const isLate = now.sequence > 0 ? now.sequence < before.sequence : now.time < before.time
  if (isLate) return undefined
  // A counter that fell has begun again from zero.
  return now.value >= before.value ? now.value - before.value : now.value
}
