import { fromBinary } from '@bufbuild/protobuf'
import { MetricsBatchSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Sample } from '../link/batches.ts'
import { type Group, openMetricsSpool } from './metrics-spool.ts'

const counter = (name: string, value: number): Sample => ({ name, value, type: 'counter' })

// A master that takes each number once, as ours does, and knows of each counter what came last.
function master() {
  const taken = new Set<bigint>()
  const values = new Map<string, number>()
  return {
    values,
    take(bytes: Uint8Array) {
      const { sequence, metrics } = fromBinary(MetricsBatchSchema, bytes)
      if (taken.has(sequence)) return
      taken.add(sequence)
      for (const { name, value } of metrics) values.set(name, value)
    },
  }
}

const group = (name: string, samples: Sample[]): Group => ({ name, samples: () => samples })

test('whatever is lost on the way, sent twice or forgotten by a restart, and however little a batch holds, the present master comes to know each counter', () => {
  const step = fc.record({
    rise: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 2 }),
    arrives: fc.boolean(),
    isAnswered: fc.boolean(),
    restarts: fc.boolean(),
    moves: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), fc.constantFrom(1, 2, 100), (steps, room) => {
      let there = master()
      const counters: Record<string, number> = { a: 0, b: 0, c: 0 }
      let state = { spool: 's', stored: 0 }
      let saved = { ...state }
      let spool = openMetricsSpool(state, room)
      const groups = () => Object.entries(counters).map(([name, value]) => group(name, [counter(name, value)]))
      for (const { rise, arrives, isAnswered, restarts, moves } of [
        ...steps,
        ...Array(7).fill({ rise: [], arrives: true, isAnswered: true, restarts: false, moves: false }),
      ]) {
        if (moves) {
          there = master()
          spool.tellAll()
        }
        for (const name of rise) counters[name]!++
        const { batch, bytes } = spool.next([], groups(), 1)
        if (arrives) there.take(bytes)
        if (arrives && isAnswered) spool.done(batch.sequence, true)
        // What was stored last may not be in the checkpoint yet.
        if (restarts) {
          state = { ...saved }
          spool = openMetricsSpool(state, room)
        } else saved = { ...state }
      }
      expect(Object.fromEntries(there.values)).toEqual(counters)
    }),
  )
})

test('a counter that has not changed is left out, for an hour', () => {
  const spool = openMetricsSpool({ spool: 's', stored: 0 })
  const namesAt = (time: number) => {
    const { batch, bytes } = spool.next([], [group('g', [counter('a', 1)])], time)
    spool.done(batch.sequence, true)
    return fromBinary(MetricsBatchSchema, bytes).metrics.map(({ name }) => name)
  }
  // Of the first number it is not known whether an earlier process used it.
  expect([1, 2, 3, 4, 3_600_002].map(namesAt)).toEqual([['a'], ['a'], [], [], ['a']])
})

test('whoever hears of an agent for the first time is told every counter', () => {
  const spool = openMetricsSpool({ spool: 's', stored: 0 })
  const told = (a: number) => {
    const { batch, bytes } = spool.next([], [group('g', [counter('a', a), counter('b', 1)])], 1)
    spool.done(batch.sequence, true)
    return fromBinary(MetricsBatchSchema, bytes).metrics.map(({ name, value }) => [name, value])
  }
  for (const value of [1, 1]) told(value)
  expect(told(2)).toEqual([['a', 2]])
  spool.tellAll()
  expect([told(2), told(2)]).toEqual([
    [
      ['a', 2],
      ['b', 1],
    ],
    [],
  ])
})

test('what one batch has no room for goes out in the next ones, which say with which the telling began', () => {
  const spool = openMetricsSpool({ spool: 's', stored: 0 }, 2)
  const gauge: Sample = { name: 'up', value: 1, type: 'gauge' }
  const values = { a: 1, b: 1, c: 1, d: 1, e: 1 }
  const groups = () => Object.entries(values).map(([name, value]) => group(name, [counter(name, value)]))
  const told = (gauges: Sample[] = []) => {
    const { batch, bytes } = spool.next(gauges, groups(), 1)
    const { metrics, since } = fromBinary(MetricsBatchSchema, bytes)
    return { sequence: batch.sequence, since: Number(since), names: metrics.map(({ name }) => name).join('') }
  }
  const stored = ({ sequence }: { sequence: number }) => {
    spool.done(sequence, true)
    return spool.goesOn
  }
  expect(stored(told())).toBe(true)
  expect(told([gauge])).toEqual({ sequence: 2, since: 1, names: 'upab' })
  // It was not answered: what was in it goes out once more, and of the others as many as there is room for.
  values.a++
  const again = told()
  expect(again).toEqual({ sequence: 2, since: 1, names: 'ab' })
  expect(stored(again)).toBe(true)
  expect(told()).toEqual({ sequence: 3, since: 1, names: 'cd' })
  expect(stored({ sequence: 3 })).toBe(true)
  expect(told()).toEqual({ sequence: 4, since: 1, names: 'e' })
  expect(stored({ sequence: 4 })).toBe(false)
  expect(told()).toEqual({ sequence: 5, since: 5, names: 'a' })
})
