import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay, setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { followLines } from '../../tests/follow.ts'
import type { Progress } from './checkpoint.ts'

let directory: string
let path: string

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'nxmesh-'))
  path = join(directory, 'access.log')
})

afterEach(() => rmSync(directory, { recursive: true }))

const follow = (progress?: Progress) => followLines(path, progress && { progress })
type Log = ReturnType<typeof follow>

// Of two changes in one tick of the kernel's clock nobody could say which came first.
let seconds = 1_700_000_000
const changed = (file: string) => utimesSync(file, ++seconds, seconds)

function write(...lines: string[]): void {
  appendFileSync(path, lines.map((line) => `${line}\n`).join(''))
  changed(path)
}

function copy(from: string, to: string): void {
  copyFileSync(from, to)
  changed(to)
}

function empty(): void {
  truncateSync(path, 0)
  changed(path)
}

function copyAndEmpty(to = `${path}.1`): string {
  copy(path, to)
  empty()
  return to
}

function pack(file: string, change = (bytes: Buffer) => bytes): void {
  writeFileSync(`${file}.gz`, change(gzipSync(readFileSync(file))))
  utimesSync(`${file}.gz`, seconds, statSync(file).mtime)
  rmSync(file)
}

async function allOf(log: Log, lines: number): Promise<string[]> {
  const found: string[] = []
  while (found.length < lines) {
    found.push(...(log.cut() ?? []))
    await turnOfTheLoop()
  }
  expect(log.cut()).toBeUndefined()
  return found
}

describe.each([
  ['the process that read before', (log: Log) => log],
  ['a later one', (log: Log) => follow(log.saved())],
])('a log that is copied and emptied, by %s', (_, next) => {
  test('is read to its end in the copy, whatever its name, and then on', async () => {
    write('a', 'b')
    const before = follow()
    before.cut()
    write('c')
    copyAndEmpty(join(directory, 'kept by somebody'))
    write('d')
    const log = next(before)
    expect(await allOf(log, 2)).toEqual(['c', 'd'])
    expect(log.again()).toEqual([['a', 'b'], ['c'], ['d']])
    expect([log.progress.dropped, log.losses]).toEqual([0, []])
  })

  test('and has grown beyond the place since', async () => {
    write('a')
    const before = follow()
    before.cut()
    write('b')
    copyAndEmpty()
    write('a line that is longer than both', 'another')
    const log = next(before)
    expect(await allOf(log, 3)).toEqual(['b', 'a line that is longer than both', 'another'])
    expect(log.again()[0]).toEqual(['a'])
  })

  test('again and again, before anything is read', async () => {
    write('a')
    const before = follow()
    before.cut()
    write('b')
    copyAndEmpty()
    write('c')
    renameSync(`${path}.1`, `${path}.2`)
    copyAndEmpty()
    write('d')
    renameSync(`${path}.2`, `${path}-20260301`)
    renameSync(`${path}.1`, join(directory, 'access.2.log'))
    copyAndEmpty(join(directory, 'access.1.log'))
    write('e')
    const log = next(before)
    expect(await allOf(log, 4)).toEqual(['b', 'c', 'd', 'e'])
    expect(log.again()[0]).toEqual(['a'])
  })

  test('and packed, also the copies before it', async () => {
    write('a')
    const before = follow()
    before.cut()
    write('b')
    pack(copyAndEmpty(`${path}.2`))
    write('c')
    pack(copyAndEmpty(`${path}.1`))
    write('d')
    const log = next(before)
    expect(await allOf(log, 3)).toEqual(['b', 'c', 'd'])
    expect(log.again()).toEqual([['a'], ['b'], ['c'], ['d']])
    const unpacked = () => readdirSync(log.aside).filter((name) => /\d{13}$/.test(name)).length
    log.prune()
    expect(unpacked()).toBe(2)
    for (const { sequence } of log.progress.cuts) log.done(sequence)
    log.prune()
    expect(unpacked()).toBe(0)
    expect(log.cut()).toBeUndefined()
    expect(log.losses).toEqual([])
  })

  test('when it was empty where it was read last', async () => {
    write('a')
    const before = follow()
    before.cut()
    before.done(1)
    copyAndEmpty()
    expect(before.cut()).toBeUndefined()
    renameSync(`${path}.1`, `${path}.2`)
    write('b')
    copyAndEmpty()
    write('c')
    expect(await allOf(next(before), 2)).toEqual(['b', 'c'])
  })
})

test('copies packed before a first look are read where they are of the time of the agent', async () => {
  write('a')
  pack(copyAndEmpty(`${path}.2`))
  const startedAt = seconds * 1000
  write('b')
  pack(copyAndEmpty(`${path}.1`))
  write('c')
  expect(await allOf(followLines(path, { startedAt }), 2)).toEqual(['b', 'c'])
})

test.each([
  ['nothing', [0]],
  ['a header', [0, 10]],
  ['all but its length', [0, 10, -4]],
])('a copy is left alone while %s of it is packed, and afterwards where it was read before', async (_, lengths) => {
  write('a')
  const log = follow()
  expect(log.cut()).toEqual(['a'])
  const plain = copyAndEmpty()
  for (const length of lengths) {
    writeFileSync(`${plain}.gz`, gzipSync(readFileSync(plain)).subarray(0, length))
    changed(`${plain}.gz`)
    expect(await allOf(log, 0)).toEqual([])
    await delay(20)
  }
  pack(plain)
  write('b')
  expect(await allOf(log, 1)).toEqual(['b'])
  expect(await allOf(follow(log.saved()), 0)).toEqual([])
  expect(log.losses).toEqual([])
})

test('what is packed is sent again by a later process once it is unpacked', async () => {
  write('a')
  const before = follow()
  before.cut()
  pack(copyAndEmpty())
  write('b')
  before.cut()
  const log = follow(before.saved())
  expect(log.again()).toEqual([undefined, ['b']])
  while (log.again()[0] === undefined) await turnOfTheLoop()
  expect(log.again()).toEqual([['a'], ['b']])
  expect(log.progress.dropped).toBe(0)
})

test('lines that were read and are in no file any more are sent until they are acknowledged', () => {
  write('a')
  const log = follow()
  log.cut()
  copy(path, `${path}.1`)
  write('late')
  expect(log.cut()).toEqual(['late'])
  empty()
  write('b')
  expect(log.cut()).toEqual(['b'])
  expect(log.again()).toEqual([['a'], ['late'], ['b']])
  const later = follow(log.saved())
  expect(later.again()).toEqual([['a'], ['late'], ['b']])
  for (const sequence of [1, 2, 3]) later.done(sequence)
  expect(readdirSync(later.aside)).toEqual([])
})

test('what only a process had that was killed is counted, and what is left of a batch is sent', () => {
  write('a')
  copy(path, `${path}.1`)
  write('late', 'later')
  const killed = follow()
  expect(killed.cut()).toEqual(['a', 'late', 'later'])
  empty()
  const log = follow(killed.saved())
  expect([log.again(), log.again()]).toEqual([[['a']], [['a']]])
  expect(log.progress.dropped).toBe(2)
})

test('without a copy what was read is sent, what was not is told as lost, and older copies are not read again', async () => {
  write('a')
  const log = follow()
  log.cut()
  log.done(1)
  copyAndEmpty()
  write('b')
  expect(log.cut()).toEqual(['b'])
  write('unread')
  expect(log.cut()).toEqual(['unread'])
  write('lost')
  log.backlog()
  empty()
  write('c')
  expect(await allOf(log, 1)).toEqual(['c'])
  expect(log.again()).toEqual([['b'], ['unread'], ['c']])
  expect(log.losses).toEqual([expect.stringContaining(': 5 bytes or more are lost')])
  rmSync(path)
  const later = follow(log.saved())
  expect(later.cut()).toBeUndefined()
  write('d')
  expect(later.cut()).toEqual(['d'])
  expect(later.losses).toEqual([expect.stringContaining('what was written after it was read last is lost')])
})

test('copies that somebody makes of what was read or is being read are not read as well', async () => {
  write('a')
  const log = follow()
  log.cut()
  copy(path, `${path}.saved`)
  write('b')
  expect(log.cut()).toEqual(['b'])
  copyAndEmpty()
  write('c')
  expect(log.cut()).toEqual(['c'])
  copy(`${path}.1`, `${path}.looked-at`)
  write('d')
  copyAndEmpty(`${path}.0`)
  write('e')
  expect(await allOf(log, 2)).toEqual(['d', 'e'])
  expect(await allOf(follow(log.saved()), 0)).toEqual([])
})

test.each([
  ['is damaged', (bytes: Buffer) => bytes.subarray(0, -4), 1000],
  ['holds more than there is room for', (bytes: Buffer) => bytes, 3],
])('a packed copy that %s is told as lost', async (_, change, most) => {
  write('a', 'b')
  const before = follow()
  before.cut()
  write('unread')
  pack(copyAndEmpty(), change)
  write('c')
  const log = followLines(path, { progress: before.saved(), most })
  expect(await allOf(log, 1)).toEqual(['c'])
  expect(log.losses[0]).toContain('access.log.1.gz cannot be unpacked')
  expect(log.losses[1]).toContain('there is no copy that could be read')
  expect(log.again()[0]).toEqual([])
  expect(log.progress.dropped).toBe(2)
  expect(readdirSync(log.aside)).toEqual([])
})
