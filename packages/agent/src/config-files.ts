import { isUtf8 } from 'node:buffer'
import { constants } from 'node:fs'
import { glob, open } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { includePatterns } from '@nxmesh/nginx/certificate-references'
import { type Directive, parse } from '@nxmesh/nginx/parse'

export type ConfigFiles =
  | {
      ok: true
      main: Directive[]
      /** What was read, by path. */
      texts: ReadonlyMap<string, string>
      /** The statements of all files, by path. */
      directives: ReadonlyMap<string, Directive[]>
      /** The statements of the files that an `include` names, in nginx's order. */
      included: (pattern: string) => Directive[][]
      /** Files that are left out, with the reason: what they say is not known. */
      leftOut: string[]
    }
  | { ok: false; reason: string }

type Reading = { kind: 'text'; text: string } | { kind: 'unfit'; reason: string } | { kind: 'unreadable'; reason: string }

const mostFiles = 10_000
const mostBytes = 64_000_000

/**
 * Reads a configuration from its main file on, except the file `own`. A file that is missing or half written is a state of passage,
 * which nginx would not load either, so the whole is not believed; one that this process may not read is left out.
 */
export async function readConfigFiles(main: string, own: string): Promise<ConfigFiles> {
  const files = new Map<string, Directive[]>([[own, []]])
  const texts = new Map<string, string>()
  const patterns = new Map<string, string[]>()
  const leftOut: string[] = []
  const waiting = [main]
  let bytes = 0
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (files.has(path)) continue
    if (files.size > mostFiles) return { ok: false, reason: `it has more than ${mostFiles} files` }
    const reading = await readRegular(path, mostBytes - bytes)
    if (reading.kind !== 'text') {
      const reason = `${path}: ${reading.reason}`
      if (reading.kind === 'unreadable' || path === main) return { ok: false, reason }
      leftOut.push(reason)
      files.set(path, [])
      continue
    }
    bytes += Buffer.byteLength(reading.text)
    const parsed = parse(reading.text)
    if (!parsed.ok) return { ok: false, reason: `${path}: ${parsed.message} in line ${parsed.line}` }
    texts.set(path, reading.text)
    files.set(path, parsed.tree.directives)
    for (const pattern of includePatterns(parsed.tree.directives)) {
      if (patterns.has(pattern)) continue
      const matches = await filesOf(resolve(dirname(main), pattern))
      patterns.set(pattern, matches)
      waiting.push(...matches)
    }
  }
  // Of a file that is being written over there is nothing for a moment.
  const hasEvents = [...files.values()].some((directives) => directives.some(({ name }) => name === 'events'))
  if (!hasEvents && leftOut.length === 0) return { ok: false, reason: `${main}: it has no "events" section` }
  const included = (pattern: string) => (patterns.get(pattern) ?? []).map((path) => files.get(path) ?? [])
  return { ok: true, main: files.get(main) ?? [], texts, directives: files, included, leftOut }
}

/** Reads a file of at most so many bytes, unless reading it could hold us up, as a FIFO would. */
export async function readRegular(path: string, most: number): Promise<Reading> {
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stat = await file.stat()
    if (!stat.isFile()) return { kind: 'unfit', reason: 'it is no file' }
    if (stat.size > most) return { kind: 'unfit', reason: 'it is too large' }
    return { kind: 'text', text: decoded(await file.readFile()) }
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM') return { kind: 'unfit', reason: 'it may not be read' }
    return { kind: 'unreadable', reason: code === 'ENOENT' ? 'it does not exist' : message }
  }
}

// Some configs hold bytes of an older encoding, which are characters of latin1.
function decoded(bytes: Buffer): string {
  return bytes.toString(isUtf8(bytes) ? 'utf8' : 'latin1')
}

/** The files that an `include` names, in nginx's order. */
export async function filesOf(pattern: string): Promise<string[]> {
  if (!/[*?[]/.test(pattern)) return [pattern]
  const files: string[] = []
  for await (const file of glob(pattern)) {
    files.push(file)
    if (files.length > mostFiles) break
  }
  return files.toSorted()
}
