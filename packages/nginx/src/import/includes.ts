import type { ImportProblem } from '@nxmesh/model/import'
import { glob, isPattern } from '../glob.ts'
import { type Directive, type Parsed, parse } from '../parse.ts'
import { absolute, folderOf } from './path.ts'
import type { Include, Place, SourceDirective } from './source.ts'
import type { UsualFile } from './usual-files.ts'

export interface Sources {
  /** Everything that `main` holds, included files in place. */
  directives: SourceDirective[]
  includes: Include[]
  problems: ImportProblem[]
  /** The files that were read, each once, in the order in which nginx first reads them. */
  read: string[]
}

/** Where nginx's own files are when the paths given do not say so. */
const usualFolder = '/etc/nginx'
const deepestBlock = 50
const deepestInclude = 50
const mostDirectives = 200_000

/**
 * Reads a configuration from the texts of its files, by path, as nginx would: an `include` is relative to the folder of `main`, a
 * pattern stands for the files that match it in the order of their bytes, and one that matches none is fine. Relative paths are
 * taken to be in /etc/nginx. Files that are missing, cannot be parsed or include themselves are told; their `include` then stays among
 * the directives, but for what `standIn` knows the content of. Source: nginx, ngx_conf_include.
 */
export function readSources(
  files: ReadonlyMap<string, string>,
  main: string,
  standIn: (path: string) => UsualFile | undefined = () => undefined,
): Sources {
  const reading: Reading = {
    files: new Map([...files].map(([path, text]) => [pathOf(path), text])),
    standIn,
    folder: folderOf(pathOf(main)),
    parsed: new Map(),
    open: [],
    count: 0,
    sources: { directives: [], includes: [], problems: [], read: [] },
  }
  const { sources } = reading
  const place = { file: pathOf(main), line: 1, column: 1 }
  if (reading.files.has(place.file)) readFile(reading, place.file, 0, sources.directives)
  else report(reading, 'MISSING_FILE', place, `there is no file "${place.file}"`)
  return sources
}

/** The path under which a file is known here: absolute, and in nginx's usual folder where it is not. */
export function pathOf(path: string): string {
  return absolute(path, usualFolder)
}

interface Reading {
  files: Map<string, string>
  standIn: (path: string) => UsualFile | undefined
  folder: string
  parsed: Map<string, Parsed>
  /** The files that are being read, the outermost first. */
  open: string[]
  count: number
  sources: Sources
}

function report({ sources }: Reading, code: ImportProblem['code'], { file, line, column }: Place, message: string): void {
  sources.problems.push({ code, file, line, column, message })
}

function readFile(reading: Reading, file: string, depth: number, into: SourceDirective[]): void {
  const known = reading.parsed.get(file)
  const parsed = known ?? parse(reading.files.get(file)!)
  if (!known) {
    reading.parsed.set(file, parsed)
    reading.sources.read.push(file)
    if (!parsed.ok) report(reading, 'SYNTAX', { file, ...parsed }, parsed.message)
    else if (parsed.tree.byteOrderMark)
      report(reading, 'BYTE_ORDER_MARK', { file, line: 1, column: 1 }, 'begins with a byte order mark, which nginx takes for text')
  }
  if (!parsed.ok) return
  reading.open.push(file)
  place(reading, parsed.tree.directives, file, depth, into)
  reading.open.pop()
}

function place(reading: Reading, directives: readonly Directive[], file: string, depth: number, into: SourceDirective[]): void {
  for (const directive of directives) {
    const { name, raw, line, column, block } = directive
    const at = { file, line, column }
    const args = directive.args.map(({ value }) => value)
    if (++reading.count > mostDirectives) {
      if (reading.count === mostDirectives + 1)
        report(reading, 'TOO_LARGE', at, `holds more than ${mostDirectives} directives with its includes`)
      return
    }
    if (name === 'include' && !block) {
      const { files, whole } = filesOf(reading, at, args)
      for (const included of files) readFile(reading, included, depth, into)
      if (whole) continue
    }
    const head = [raw, ...directive.args.map((argument) => argument.raw)].join(' ')
    const source: SourceDirective = { ...at, name, args, head }
    if (block?.kind === 'lua') source.lua = block.source
    else if (block && depth >= deepestBlock) report(reading, 'TOO_LARGE', at, `blocks are nested more than ${deepestBlock} deep`)
    else if (block) {
      source.block = []
      place(reading, block.directives, file, depth + 1, source.block)
    }
    into.push(source)
  }
  return
}

/** The files that an `include` stands for and that can be read, and whether that is all of them. */
function filesOf(reading: Reading, at: Place, args: string[]): { files: string[]; whole: boolean } {
  const [pattern] = args
  if (pattern === undefined || args.length > 1) {
    report(reading, 'SYNTAX', at, 'invalid number of arguments in "include" directive')
    return { files: [], whole: false }
  }
  const path = absolute(pattern, reading.folder)
  const matches = isPattern(path) ? glob(path, reading.files.keys()) : [path]
  const { sources, open } = reading
  const files = matches.filter((file) => {
    if (!reading.files.has(file) && !takeUsual(reading, file, at)) report(reading, 'MISSING_FILE', at, `there is no file "${file}"`)
    else if (open.includes(file))
      report(reading, 'CYCLE', at, `"${file}" includes itself: ${[...open.slice(open.indexOf(file)), file].join(' → ')}`)
    else if (open.length >= deepestInclude) report(reading, 'TOO_LARGE', at, `files are included more than ${deepestInclude} deep`)
    else return true
    return false
  })
  const whole = files.length === matches.length
  sources.includes.push({ ...at, pattern, files, whole })
  return { files, whole }
}

/** Takes the usual content for a file that is not there, and tells so. */
function takeUsual(reading: Reading, file: string, at: Place): boolean {
  const usual = reading.standIn(file)
  if (!usual) return false
  reading.files.set(file, usual.text)
  report(reading, 'MISSING_FILE', at, `there is no file "${file}": ${usual.whose}`)
  return true
}
