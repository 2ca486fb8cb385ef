import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isDue, type Subscription } from './selection.ts'

const event = (seq: number, type: 'agent.online' | 'settings.updated' = 'agent.online') =>
  ({ seq, type, workspace_id: 'w', agentId: type === 'agent.online' ? 'a' : undefined }) as const
const subscription = (events: string[], from: number, until = from, filter: Subscription['filter'] = {}): Subscription => ({
  id: `${events.join()} ${from}`,
  events,
  from,
  until,
  filter,
})

test('patterns and filters', () => {
  expect(isDue([subscription(['settings.*'], 0)], event(1), 0)).toBe(false)
  expect(isDue([subscription(['settings.*', 'agent.online'], 0)], event(1), 0)).toBe(true)
  expect(isDue([subscription(['*'], 0, 0, { workspace_id: 'v' })], event(1), 0)).toBe(false)
  expect(isDue([subscription(['*'], 0, 0, { agent_id: 'a' })], event(1), 0)).toBe(true)
  expect(isDue([subscription(['*'], 0, 0, { agent_id: 'a' })], event(1, 'settings.updated'), 0)).toBe(false)
})

test('one that reaches back gets just what no other has brought', () => {
  const numbers = fc.record({ old: fc.nat(20), back: fc.nat(20), now: fc.nat(20) })
  fc.assert(
    fc.property(numbers, fc.subarray(['agent.*', 'settings.*'], { minLength: 1 }), ({ old, back, now }, patterns) => {
      const high = Math.max(old, back, now)
      const first = subscription(patterns, old)
      const second = subscription(['*'], back, high)
      for (let seq = 1; seq <= 30; seq++) {
        for (const type of ['agent.online', 'settings.updated'] as const) {
          const brought = seq > old && seq <= high && isDue([first], event(seq, type), 0)
          expect(isDue([first, second], event(seq, type), high)).toBe(seq > high || (seq > back && !brought))
        }
      }
    }),
  )
})
