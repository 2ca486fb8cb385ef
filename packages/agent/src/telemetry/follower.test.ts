import { appendFileSync, existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { followLines } from '../../tests/follow.ts'
import type { Progress } from './checkpoint.ts'
import { rotatedName } from './log-files.ts'

let directory: string
let path: string
let counted: string[]

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nxmesh-'))
  path = join(directory, 'access.log')
  counted = []
})

afterEach(() => rmSync(directory, { recursive: true }))

const follow = (progress?: Progress) => followLines(path, { counted, ...(progress && { progress }) })

let turn = 0
function rotate(): string {
  const former = rotatedName(path, ++turn)
  renameSync(path, former)
  writeFileSync(path, '')
  return former
}

test('whole lines are read once, and a line that is being written when it is whole', () => {
  const log = follow()
  expect(log.cut()).toBeUndefined()
  writeFileSync(path, 'a\nb\nhal')
  expect(log.cut()).toEqual(['a', 'b'])
  expect(log.cut()).toBeUndefined()
  appendFileSync(path, 'f\n')
  expect(log.cut()).toEqual(['half'])
  expect(log.again()).toEqual([['a', 'b'], ['half']])
  expect(counted).toEqual(['a', 'b', 'half'])
})

test('it goes from file to file, and deletes those that have been acknowledged', () => {
  const log = follow()
  writeFileSync(path, 'a\n')
  expect(log.cut()).toEqual(['a'])
  const first = rotate()
  appendFileSync(first, 'late\nend of file')
  const second = rotate()
  appendFileSync(path, 'c\n')
  expect([log.cut(), log.cut(), log.cut(), log.cut()]).toEqual([['late'], ['end of file'], ['c'], undefined])
  log.done(1)
  log.done(2)
  log.prune()
  expect([existsSync(first), existsSync(second)]).toEqual([true, false])
  log.done(3)
  log.prune()
  expect(existsSync(first)).toBe(false)
  expect(log.again()).toEqual([['c']])
})

test('without room the oldest is let go, counted, and what was cut is kept', () => {
  const log = follow()
  writeFileSync(path, 'a\n')
  log.cut()
  appendFileSync(path, 'b\nc\n')
  const first = rotate()
  appendFileSync(path, 'd\n')
  log.trim(100)
  expect(log.progress.dropped).toBe(0)
  log.trim(3)
  expect(log.progress.dropped).toBe(2)
  expect(counted).toEqual(['a', 'b', 'c'])
  log.prune()
  expect(existsSync(first)).toBe(true)
  expect(log.again()).toEqual([['a']])
  expect(log.cut()).toEqual(['d'])
})

test('a later process goes on from the saved progress with the same batches', () => {
  const before = follow()
  writeFileSync(path, 'a\nb\n')
  before.cut()
  const after = follow(before.saved())
  appendFileSync(path, 'c\n')
  expect(after.again()).toEqual([['a', 'b']])
  expect(after.cut()).toEqual(['c'])
  expect(after.progress.last).toBe(2)
})

test('a batch whose file is gone is sent as long as this process has it, and by a later one is counted as dropped, once', () => {
  const log = follow()
  writeFileSync(path, 'a\nb\n')
  log.cut()
  rmSync(path)
  expect(log.again()).toEqual([['a', 'b']])
  expect(log.progress.dropped).toBe(0)
  const later = follow(log.saved())
  expect([later.again(), later.again()]).toEqual([[[]], [[]]])
  expect(later.progress).toMatchObject({ last: 1, dropped: 2 })
})

test('a file that is renamed while it is looked for is neither lost nor read again', async () => {
  const log = follow()
  writeFileSync(path, '')
  // Three renames at a time, in a thread of its own.
  const renaming = new Worker(
    `const { appendFileSync, renameSync, writeFileSync } = require('node:fs')
     const { workerData: path } = require('node:worker_threads')
     for (let turn = 1; turn <= 300; turn++) {
       appendFileSync(path, turn + '\\n')
       renameSync(path, path + '.' + String(turn).padStart(13, '0'))
       writeFileSync(path, '')
       if (turn % 3 === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3)
     }`,
    { eval: true, workerData: path },
  )
  let over = false
  renaming.once('exit', () => {
    over = true
  })
  const seen: string[] = []
  for (let isLast = false; !isLast; ) {
    isLast = over
    for (let lines = log.cut(); lines; lines = log.cut()) seen.push(...lines)
    for (const { sequence } of log.progress.cuts) log.done(sequence)
    log.prune()
    await turnOfTheLoop()
  }
  expect(seen).toEqual(Array.from({ length: 300 }, (_, index) => String(index + 1)))
})
