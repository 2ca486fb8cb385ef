/** A value of a counter, and where it came from. */
export interface Reading {
  value: number
  /** The number of its batch in the spool; 0 where there is no spool. */
  sequence: number
  time: number
}

/** The last value of a counter. */
export interface Counter extends Reading {
  /** Since when it counts, as far as that is known. */
  began: number
}

/**
 * By how much a counter rose with a sample; undefined for a sample that says nothing new. `fromZero` says what a counter that was
 * not seen before rose from: zero, or whatever it was.
 */
export function increase(before: Reading | undefined, now: Reading, fromZero: boolean): number | undefined {
  if (!before) return fromZero ? now.value : 0
  // Its increase is already part of that of a later sample.
  const isLate = now.sequence > 0 ? now.sequence < before.sequence : now.time < before.time
  if (isLate) return undefined
  // A counter that fell has begun again from zero.
  return now.value >= before.value ? now.value - before.value : now.value
}

/**
 * Since when a counter counts that has this sample. `spoolBegan` is the earliest that is known of its spool: what counts from zero has
 * done so since then.
 */
export function beginningOf(before: Counter | undefined, now: Reading, fromZero: boolean, spoolBegan = now.time - 1): number {
  if (!before) return fromZero ? Math.min(now.time, spoolBegan) : now.time
  // It began again at some moment after the sample before.
  return now.value < before.value ? before.time : before.began
}
