import { glob, isPattern } from '../glob.ts'
import { type Directive, parse } from '../parse.ts'

/** A directive with its arguments, latin1 byte by byte, and where it stands. */
export interface Node {
  name: string
  args: string[]
  file: string
  line: number
  children: Node[] | undefined
}

export type ConfigRead = { ok: true; http: Node[] } | { ok: false; message: string }

const deepest = 50

/**
 * Reads a configuration of several files, by path, into the directives of its http block. Includes are resolved against the folder
 * of `main`, as nginx does. With `bare`, `main` is itself what stands in the http block.
 */
export function readConfig(files: ReadonlyMap<string, string>, main: string, bare = false): ConfigRead {
  const folder = main.slice(0, main.lastIndexOf('/') + 1)
  const problems: string[] = []
  const readFile = (path: string, depth: number): Node[] => {
    const text = files.get(path)
    if (text === undefined) {
      problems.push(`the file ${path} is not at hand`)
      return []
    }
    const parsed = parse(toBytes(text))
    if (!parsed.ok) {
      problems.push(`${path}:${parsed.line}: ${parsed.message}`)
      return []
    }
    return nodesOf(parsed.tree.directives, path, depth)
  }
  const nodesOf = (directives: readonly Directive[], file: string, depth: number): Node[] =>
    directives.flatMap((directive): Node[] => {
      const { name, line, block } = directive
      const args = directive.args.map((argument) => argument.value)
      if (name === 'include' && args.length === 1) {
        if (depth >= deepest) {
          problems.push(`${file}:${line}: files include each other without end`)
          return []
        }
        return included(args[0]!).flatMap((path) => readFile(path, depth + 1))
      }
      const children = block?.kind === 'directives' ? nodesOf(block.directives, file, depth) : undefined
      return [{ name, args, file, line, children }]
    })
  const included = (wanted: string): string[] => {
    const path = wanted.startsWith('/') ? wanted : folder + wanted
    return isPattern(path) ? glob(path, files.keys()) : [path]
  }
  const top = readFile(main, 0)
  const http = bare ? top : (top.find((node) => node.name === 'http')?.children ?? [])
  if (!bare && !top.some((node) => node.name === 'http')) problems.push(`${main} has no http block`)
  return problems.length > 0 ? { ok: false, message: problems[0]! } : { ok: true, http }
}

/** Text as its bytes, one character each: what nginx compares. */
export function toBytes(text: string): string {
  return /^[\0-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1')
}

/** The text that bytes stand for. */
export function fromBytes(bytes: string): string {
  return /^[\0-\x7f]*$/.test(bytes) ? bytes : Buffer.from(bytes, 'latin1').toString('utf8')
}
