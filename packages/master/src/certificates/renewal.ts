const day = 86_400_000

/**
 * When a certificate that is got at `now` is renewed if its CA does not say: at two thirds of its life, at half of one under ten days, and not
 * before a third of what is left. Milliseconds since the epoch.
 */
export function renewalTime({
  notBefore,
  notAfter,
  now,
  random,
}: {
  notBefore: number
  notAfter: number
  now: number
  random: number
}): number {
  const life = notAfter - notBefore
  const share = life < 10 * day ? 1 / 2 : 2 / 3
  // A fleet that was set up in an hour must not be renewed in one.
  return Math.round(Math.max(notBefore + life * (share - 0.03 * random), now + (notAfter - now) / 3))
}

/** A moment of the window in which the CA wants a certificate renewed; one that is past means now. Source: RFC 9773 section 4.2. */
export function timeInWindow({ start, end }: { start: number; end: number }, random: number): number {
  return Math.round(start + Math.max(0, end - start) * random)
}

const waits = [5, 15, 60, 240, 720, 1440].map((minutes) => minutes * 60_000)

/** How long to wait after so many failures in a row: CAs allow few in an hour. `random` spreads it. */
export function retryAfter(failures: number, random: number): number {
  const wait = waits[Math.min(failures, waits.length) - 1] ?? waits[0]!
  return Math.round(wait * (1 + 0.2 * random))
}

/** When people are told that a certificate ends, however long it lives: with the last quarter of its life, though never before the last three weeks, the last tenth, and the end. */
export function warningTimes({ notBefore, notAfter }: { notBefore: number; notAfter: number }): number[] {
  const life = notAfter - notBefore
  return [notAfter - Math.min(life / 4, 21 * day), notAfter - Math.min(life / 10, 7 * day), notAfter].map(Math.round)
}
