import {
  appendFileSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
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
import { setImmediate as turnOfTheLoop } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { followLines } from '../../tests/follow.ts'
import { rotatedName } from './log-files.ts'

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('write' as const), lines: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), outcome: fc.constantFrom('stored', 'unheard', 'lost') }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('send again' as const), outcome: fc.constantFrom('stored', 'unheard', 'lost') }) },
  fc.record({ kind: fc.constant('copy and empty' as const), late: fc.constantFrom('nothing', 'read') }),
  fc.record({ kind: fc.constantFrom('rename', 'rename by us', 'pack', 'save a copy', 'prune', 'another process') }),
)

/** An older copy is left beside a packed one that goes on. */
const packedBesideOlder = [
  { kind: 'save a copy' as const },
  { kind: 'write' as const, lines: 1 },
  { kind: 'copy and empty' as const, late: 'nothing' as const },
  { kind: 'pack' as const },
]

test('whatever others do to a log, each line arrives once and in order', async () => {
  const everyLine = fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const directory = mkdtempSync(join(tmpdir(), 'nxmesh-'))
      try {
        await play(directory, steps)
      } finally {
        rmSync(directory, { recursive: true })
      }
    }),
    { numRuns: 300, examples: [[packedBesideOlder]] },
  )
  await expect(everyLine).resolves.toBeUndefined()
}, 120_000)

async function play(directory: string, steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) {
  const path = join(directory, 'access.log')
  const counted: string[] = []
  const stored = new Map<number, string[]>()
  const told: string[] = []
  let seconds = 1_700_000_000
  let written = 0
  const changed = (file: string) => utimesSync(file, ++seconds, seconds)
  const write = (lines: number) => {
    for (let line = 0; line < lines; line++) appendFileSync(path, `line ${++written}\n`)
    changed(path)
  }
  const copies = () => [1, 2, 3, 4, 5, 6, 7, 8, 9].flatMap((n) => [`${path}.${n}`, `${path}.${n}.gz`]).filter((file) => existsSync(file))
  // As logrotate does.
  const makeRoom = () => {
    for (const file of copies().toReversed())
      renameSync(
        file,
        file.replace(/\.(\d)(\.gz)?$/, (_, n, gz = '') => `.${Number(n) + 1}${gz}`),
      )
  }
  write(1)
  let log = followLines(path, { counted })
  log.backlog()
  const send = (sequence: number, lines: string[], outcome: string) => {
    if (outcome !== 'lost' && !stored.has(sequence)) stored.set(sequence, lines)
    if (outcome === 'stored') log.done(sequence)
  }
  const read = (outcome: string) => {
    const lines = log.cut()
    if (lines) send(log.progress.last, lines, outcome)
  }
  const sendAgain = (outcome: string) => {
    const due = [...log.progress.cuts]
    for (const [index, lines] of log.again().entries()) if (lines) send(due[index]!.sequence, lines, outcome)
  }

  for (const each of steps) {
    switch (each.kind) {
      case 'write':
        write(each.lines)
        break
      case 'read':
        read(each.outcome)
        break
      case 'send again':
        sendAgain(each.outcome)
        break
      case 'copy and empty': {
        if (copies().length > 7) break
        makeRoom()
        copyFileSync(path, `${path}.1`)
        changed(`${path}.1`)
        if (each.late === 'read') {
          for (let lines: string[] | undefined = ['']; lines; ) lines = readAll()
          write(1)
          // What nobody has read by now is in no file any more.
          for (let turn = 0; !counted.includes(`line ${written}`); turn++) {
            read('unheard')
            if (turn > 200) {
              told.push(`line ${written}`)
              break
            }
            await turnOfTheLoop()
          }
        }
        truncateSync(path, 0)
        changed(path)
        // As a look of a running agent does.
        log.backlog()
        break
      }
      case 'rename':
        if (copies().length > 7) break
        makeRoom()
        renameSync(path, `${path}.1`)
        writeFileSync(path, '')
        changed(path)
        break
      case 'rename by us':
        renameSync(path, rotatedName(path, seconds * 1000))
        writeFileSync(path, '')
        changed(path)
        break
      case 'pack': {
        const oldest = copies().findLast((file) => !file.endsWith('.gz'))
        if (!oldest) break
        writeFileSync(`${oldest}.gz`, gzipSync(readFileSync(oldest)))
        utimesSync(`${oldest}.gz`, seconds, statSync(oldest).mtime)
        rmSync(oldest)
        break
      }
      case 'save a copy':
        copyFileSync(path, `${path}.saved`)
        changed(`${path}.saved`)
        break
      case 'prune':
        log.prune()
        break
      case 'another process':
        // The one before is dead: it does not go on unpacking.
        while (existsSync(join(log.aside, 'access.log.part'))) await turnOfTheLoop()
        log = followLines(path, { counted, progress: log.saved() })
        break
    }
  }

  function readAll(): string[] | undefined {
    const lines = log.cut()
    if (lines) send(log.progress.last, lines, 'unheard')
    return lines
  }

  const expected = Array.from({ length: written }, (_, index) => `line ${index + 1}`).filter((line) => !told.includes(line))
  for (let turn = 0; turn < 5000 && counted.length < expected.length; turn++) {
    read('stored')
    await turnOfTheLoop()
  }
  for (let turn = 0; turn < 5000 && log.progress.cuts.length > 0; turn++) {
    sendAgain('stored')
    await turnOfTheLoop()
  }
  expect(log.cut()).toBeUndefined()
  expect(counted).toEqual(expected)
  expect([...stored].toSorted(([a], [b]) => a - b).flatMap(([, lines]) => lines)).toEqual(expected)
  expect(log.progress).toMatchObject({ cuts: [], dropped: 0 })
  expect(log.losses).toEqual([])
}
