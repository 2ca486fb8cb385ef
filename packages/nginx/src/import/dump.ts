import { parse } from '../parse.ts'
import { pathOf, readSources } from './includes.ts'

export type Dump = { ok: true; files: Map<string, string>; main: string } | { ok: false; message: string }

/** Lines that look like the beginning of a file and are none: more of them are not worth the time. */
const mostWrong = 100

const separator = /^# configuration file (\/[^\n]*):$/gm

/**
 * Splits the output of `nginx -T` into its files. A file may hold what looks like the line before a file: such a line counts only if
 * the files before it include the file that it names, at this place in the order of reading; else it is part of the file that it
 * stands in. Source: nginx, main() with -T.
 */
export function splitDump(text: string): Dump {
  const found = [...text.matchAll(separator)]
  const [first] = found
  if (!first) return { ok: false, message: 'is not the output of nginx -T: no line says "# configuration file …:"' }
  const leading = text.slice(0, first.index).split('\n')
  if (leading.some((line) => line.trim() !== '' && !/^(nginx: |\d{4}\/\d\d\/\d\d )/.test(line)))
    return { ok: false, message: 'is not the output of nginx -T: it begins with something else' }
  const main = pathOf(first[1]!)
  const marks = distinct(text, whole(text, found))
  for (let wrong = 0; marks !== undefined && wrong < mostWrong; wrong++) {
    const files = filesBetween(text, marks)
    const { read } = readSources(files, main)
    const stray = marks.findIndex((mark, at) => pathOf(mark[1]!) !== read[at])
    if (stray === -1) return { ok: true, files, main }
    if (stray === 0) break
    marks.splice(stray, 1)
  }
  return { ok: false, message: 'its files are not where nginx would have read them, so it cannot be told where each ends' }
}

/** Keeps the lines before which a file is complete: nginx shows no other. */
function whole(text: string, marks: RegExpExecArray[]): RegExpExecArray[] | undefined {
  const kept = [marks[0]!]
  let wrong = 0
  for (const mark of marks.slice(1)) {
    const [[, before]] = [...filesBetween(text.slice(0, mark.index), [kept.at(-1)!])] as [[string, string]]
    if (parse(before).ok) kept.push(mark)
    else if (++wrong > mostWrong) return undefined
  }
  return kept
}

/** Of lines that name one file, the one after an empty line: nginx ends each file with a line break of its own, and most files with one too. */
function distinct(text: string, marks: RegExpExecArray[] | undefined): RegExpExecArray[] | undefined {
  if (marks === undefined) return undefined
  const named = Map.groupBy(marks, (mark) => pathOf(mark[1]!))
  const kept = new Set<RegExpExecArray>()
  for (const [path, all] of named) {
    const likely = all.filter((mark) => mark === marks[0] || (path !== pathOf(marks[0]![1]!) && text.endsWith('\n\n', mark.index)))
    if (all.length > 1 && likely.length !== 1) return undefined
    kept.add(all.length > 1 ? likely[0]! : all[0]!)
  }
  return marks.filter((mark) => kept.has(mark))
}

// nginx ends each file with a line break of its own.
function filesBetween(text: string, marks: RegExpExecArray[]): Map<string, string> {
  const files = new Map<string, string>()
  for (const [at, mark] of marks.entries()) {
    const path = pathOf(mark[1]!)
    if (files.has(path)) continue
    const from = mark.index + mark[0].length + 1
    files.set(path, text.slice(from, marks[at + 1]?.index ?? text.length).replace(/\n$/, ''))
  }
  return files
}
