import { expect, test } from 'vitest'
import { backoff, mostAttempts, retryAfterOf } from './schedule.ts'

test('waits grow from seconds to a day, within a fifth', () => {
  const waits = Array.from({ length: mostAttempts - 1 }, (_, index) => backoff(index + 1, () => 0.5))
  expect(waits).toEqual([5, 25, 125, 625, 3125, 15_625, 78_125, 86_400])
  expect([backoff(3, () => 0), backoff(3, () => 1)]).toEqual([100, 150])
})

const now = Date.parse('2026-03-02T12:00:00Z')

test.each([
  [undefined, 0],
  ['120', 120],
  ['9999999', 86_400],
  ['Mon, 02 Mar 2026 12:01:00 GMT', 60],
  ['Mon, 02 Mar 2026 11:00:00 GMT', 0],
  ['soon', 0],
  ['-5', 0],
])('Retry-After %s asks for %s seconds', (header, seconds) => {
  expect(retryAfterOf(header, now)).toBe(seconds)
})
