import { expect, test } from 'vitest'
import { reloadBudget } from './budget.ts'
import { counted, newServer, type ServerState } from './count.ts'

const rules = { interval: 1000, healthy_threshold: 2, unhealthy_threshold: 3 }

/** Counts results, `.` for a pass and `x` for a failure, a second apart, and shows the state after each. */
function run(results: string, from: ServerState = newServer(false, 0)): { states: string; last: ServerState } {
  let server = from
  let now = from.since
  let states = ''
  for (const result of results) {
    now += 1000
    server = counted(server, result === 'x' ? 'status 500' : undefined, rules, now)
    states += { checking: '?', up: '+', down: '-' }[server.state]
  }
  return { states, last: server }
}

test('only failures in a row take a server down, and only passes in a row bring it back', () => {
  expect(run('.xx.xxx').states).toBe('++++++-')
  expect(run('.xxx.x..').states).toBe('+++----+')
  expect(run('xxx').states).toBe('??-')
  expect(run('..', newServer(true, 0)).states).toBe('-+')
})

test('the time of a state is that of its last change, and results are counted', () => {
  expect(run('.xxxx').last).toMatchObject({ state: 'down', since: 4000, passed: 1, failed: 4, last_error: 'status 500' })
})

test('a server that comes and goes must pass ever more often, up to eight times as often, and is forgiven in time', () => {
  const first = run('.xxx..').last
  expect(first.state).toBe('up')
  const flapping = run('xxx....', first)
  expect(flapping.states).toBe('++----+')
  const often = run('xxx................'.repeat(3), flapping.last).last
  expect(often.downs).toBe(4)
  expect(run('xxx................', often).states.indexOf('+', 3)).toBe(18)
  const steady = counted({ ...often, state: 'up', since: 0, against: 2 }, 'status 500', rules, 60_000)
  expect(steady).toMatchObject({ state: 'down', downs: 1 })
})

test('a budget allows some at once and then one at a time', () => {
  const budget = reloadBudget({ atOnce: 2, everyMs: 10_000 })
  for (const _ of [1, 2]) {
    expect(budget.wait(0)).toBe(0)
    budget.take(0)
  }
  expect(budget.wait(0)).toBe(10_000)
  expect(budget.wait(4000)).toBe(6000)
  expect(budget.wait(10_000)).toBe(0)
})
