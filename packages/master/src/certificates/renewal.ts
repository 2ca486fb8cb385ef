const hour = 3_600_000
const day = 24 * hour

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

const spacing = 3 * day

/**
 * When a certificate is renewed whose CA says in which window it wants that: in there, though in time before the end. A CA whose windows are
 * always past has no more than two certificates issued in three days, or in half of a shorter life: `before` is when the one before the
 * present one was issued. Milliseconds since the epoch.
 */
export function wishedTime(
  window: { start: number; end: number },
  { notBefore, notAfter, before, random }: { notBefore: number; notAfter: number; before: number | undefined; random: number },
): number {
  const [, latest] = warningTimes({ notBefore, notAfter })
  const earliest = before === undefined ? -Infinity : before + Math.min(spacing, (notAfter - notBefore) / 2)
  return Math.max(earliest, Math.min(latest!, timeInWindow(window, random)))
}

/**
 * When a CA is asked again in what window it wants a certificate renewed: when it says (`retryAt`), within an hour and a day; six hours from
 * now where it does not. Source: RFC 9773 section 4.3.
 */
export function askedAgain(now: number, retryAt: number | null): number {
  return Math.min(Math.max(retryAt ?? now + 6 * hour, now + hour), now + day)
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
