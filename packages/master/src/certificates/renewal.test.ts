import { describe, expect, test } from 'vitest'
import { askedAgain, renewalTime, wishedTime } from './renewal.ts'

const hour = 3_600_000
const day = 24 * hour
const now = Date.parse('2026-11-27T12:00:00Z')
const quarter = { notBefore: now, notAfter: now + 90 * day, before: undefined, random: 0.5 }
const window = (start: number, end: number) => ({ start: now + start * day, end: now + end * day })

describe('the window of a CA', () => {
  test.each([
    ['to come', window(50, 52), quarter, 51],
    ['that is past', window(-2, -1), quarter, -1.5],
    ['that ends before it begins', window(50, 40), quarter, 50],
    ['after the end', window(100, 110), quarter, 83],
    ['that is past, for a certificate whose predecessor lived long', window(-2, -1), { ...quarter, before: now - 60 * day }, -1.5],
    ['that is past, for a certificate whose predecessor lived for a minute', window(-2, -1), { ...quarter, before: now - 60_000 }, 3],
    ['that is past, of days', window(-2, -1), { ...quarter, notAfter: now + day, before: now }, 0.5],
  ])('%s', (_what, asked, known, days) => {
    expect((wishedTime(asked, known) - now) / day).toBeCloseTo(days, 2)
  })
})

test.each([
  ['says nothing', null, 6 * hour],
  ['says when', now + 3 * hour, 3 * hour],
  ['says at once', now - hour, hour],
  ['says in a month', now + 30 * day, day],
])('a CA that %s of when it is asked again', (_what, retryAt, after) => {
  expect(askedAgain(now, retryAt) - now).toBe(after)
})

test.each([
  [90, 60],
  [10, 10 * (2 / 3)],
  [6, 3],
  [1, 0.5],
])('by itself, a certificate of %i days is renewed after %f', (life, days) => {
  const of = (random: number) => (renewalTime({ notBefore: now, notAfter: now + life * day, now, random }) - now) / day
  expect(of(0)).toBeCloseTo(days, 5)
  expect(of(1)).toBeCloseTo(days - 0.03 * life, 5)
})
