import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { increase } from './counters.ts'
import { readCursor, writeCursor } from './cursor.ts'
import { currentName, expired } from './day-files.ts'
import { batchReader, headOf } from './pipe.ts'
import { isTaken, take } from './sequences.ts'
import { newTsv } from './tsv.ts'

test('ranges hold just the numbers that were taken, in whatever order', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (numbers) => {
      const ranges = numbers.reduce((all, number) => take(all, [[number, number]]), take([], []))
      for (let number = 1; number <= 41; number++) expect(isTaken(ranges, number)).toBe(numbers.includes(number))
      for (const [index, [first]] of ranges.entries()) if (index > 0) expect(first).toBeGreaterThan(ranges[index - 1]![1] + 1)
    }),
  )
})

test('a sender with gaps without end does not fill the memory', () => {
  let ranges = take([], [])
  for (let number = 1; number <= 5000; number += 2) ranges = take(ranges, [[number, number]])
  expect(ranges).toHaveLength(1000)
  expect(ranges.at(-1)).toEqual([4999, 4999])
})

test('a counter rises by differences, also over a reset, and a late sample says nothing', () => {
  const at = (value: number, sequence: number, time = 0) => ({ value, sequence, time })
  expect(increase(undefined, at(7, 1), true)).toBe(7)
  expect(increase(undefined, at(7, 5), false)).toBe(0)
  expect(increase(at(7, 1), at(10, 2), false)).toBe(3)
  expect(increase(at(7, 1), at(2, 2), false)).toBe(2)
  expect(increase(at(7, 2), at(5, 1), false)).toBeUndefined()
  expect(increase(at(7, 0, 20), at(5, 0, 10), false)).toBeUndefined()
})

test('cursors are read as they were written, and nothing else is one', () => {
  const number = fc.integer({ min: -62_135_596_800_000, max: Number.MAX_SAFE_INTEGER })
  fc.assert(
    fc.property(number, number, number, number, (from, to, ts, seq) => {
      expect(readCursor(writeCursor({ from, to }, { ts, seq }))).toEqual({ from, to, ts, seq })
    }),
  )
  fc.assert(fc.property(fc.string(), (text) => void readCursor(text)))
  for (const text of ['', 'abc', Buffer.from('1.2.3').toString('base64url'), Buffer.from('1.2.3.x y').toString('base64url')]) {
    expect(readCursor(text)).toBeUndefined()
  }
})

describe('day files', () => {
  const now = Date.parse('2026-03-31T12:00:00Z')
  const file = (name: string, bytes = 10) => ({ name, bytes })

  test('rows go to the newest file, unless it is of another day or full', () => {
    expect(currentName([], now, 100)).toBe('2026-03-31')
    expect(currentName([file('2026-03-30')], now, 100)).toBe('2026-03-31')
    expect(currentName([file('2026-03-31')], now, 100)).toBe('2026-03-31')
    expect(currentName([file('2026-03-31', 100)], now, 100)).toBe('2026-03-31.2')
    expect(currentName([file('2026-03-31', 100), file('2026-03-31.2', 100)], now, 100)).toBe('2026-03-31.3')
    expect(currentName([file('2026-04-01')], now, 100)).toBe('2026-04-01')
  })

  test('the oldest go by age and by size, the newest never', () => {
    const files = ['2026-02-01', '2026-03-29', '2026-03-30', '2026-03-31'].map((name) => file(name))
    expect(expired(files, now, { retentionDays: 30, mostBytes: 1000 })).toEqual(['2026-02-01'])
    expect(expired(files, now, { retentionDays: 30, mostBytes: 25 })).toEqual(['2026-02-01', '2026-03-29'])
    expect(expired(files, now, { retentionDays: 30, mostBytes: 1 })).toEqual(['2026-02-01', '2026-03-29', '2026-03-30'])
    expect(expired([file('2020-01-01')], now, { retentionDays: 30, mostBytes: 1 })).toEqual([])
  })
})

test('batches come out of the pipe as they went in, however they are cut', () => {
  const batch = fc.record({
    kind: fc.constantFrom('logs' as const, 'metrics' as const),
    agentId: fc.string(),
    receivedAt: fc.nat(),
    bytes: fc.uint8Array({ maxLength: 50 }),
  })
  fc.assert(
    fc.property(fc.array(batch), fc.integer({ min: 1, max: 40 }), (batches, size) => {
      const stream = Buffer.concat(batches.flatMap((sent, index) => [headOf(index, sent), sent.bytes]))
      const seen: unknown[] = []
      const read = batchReader((id, { bytes, ...rest }) => seen.push([id, { ...rest, bytes: new Uint8Array(bytes) }]))
      for (let at = 0; at < stream.length; at += size) read(stream.subarray(at, at + size))
      expect(seen).toEqual([...batches.entries()])
    }),
  )
})

test('cells are quoted where they have to be, and are text whatever the bytes', () => {
  const tsv = newTsv()
  const cells = [Buffer.from('plain'), Buffer.from('a "b"\t\n'), Buffer.from('\\N'), Buffer.from(''), Buffer.from([0xff, 0x00, 0x41])]
  for (const cell of cells) tsv.bytes(cell, 0, cell.length)
  tsv.none()
  tsv.endRow()
  expect(Buffer.from(tsv.content()).toString()).toBe('plain\t"a ""b""\t\n"\t"\\N"\t""\t"\ufffd A"\t\\N\n')
})
