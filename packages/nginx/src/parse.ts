import { dataBlocks } from './data-blocks.ts'
import { endOfLua } from './lua-block.ts'
import { countLine, decode, readSpace, readToken, type Scan, SyntaxProblem, unfinished } from './scan.ts'

/** One argument: the text as nginx decodes it, as it is written (with its quotes), and the spaces and comments before it. */
export interface Argument {
  value: string
  raw: string
  before: string
}

export interface Directive {
  name: string
  args: Argument[]
  /** Where the name begins, from 1. */
  line: number
  column: number
  /** The name as it is written, and what stands before it. */
  raw: string
  before: string
  /** What stands between the last argument and the `;` or `{`. */
  beforeEnd: string
  block?: Block
}

/** What stands between braces: directives, or the source of another language that nginx hands to a module. */
export type Block = { kind: 'directives'; directives: Directive[]; beforeClose: string } | { kind: 'lua'; source: string }

/** A whole file. `after` holds what follows the last directive. A byte order mark, which nginx takes for text, is kept apart. */
export interface ConfigTree {
  byteOrderMark: boolean
  directives: Directive[]
  after: string
}

export type Parsed = { ok: true; tree: ConfigTree } | { ok: false; message: string; line: number; column: number }

/**
 * Parses a configuration file by nginx's own token rules, losing nothing: `print` gives the same text back. Bytes that are not
 * UTF-8 survive when the file was decoded as latin1; `encoding` says so, as nginx measures tokens in bytes. Line and column of an
 * error count from 1. Source: nginx, ngx_conf_read_token.
 */
export function parse(text: string, encoding: Scan['encoding'] = 'utf8'): Parsed {
  const byteOrderMark = text.startsWith('\uFEFF')
  const scan: Scan = { text, at: byteOrderMark ? 1 : 0, line: 1, lineStart: byteOrderMark ? 1 : 0, encoding }
  const top: Directive[] = []
  const open: { directives: Directive[]; block: Block & { kind: 'directives' }; data: boolean }[] = []
  let directives = top
  let data = false
  try {
    for (;;) {
      const statement = readStatement(scan)
      switch (statement.kind) {
        case 'end': {
          if (open.length > 0) throw new SyntaxProblem('unexpected end of file, expecting "}"', scan.at)
          return { ok: true, tree: { byteOrderMark, directives: top, after: statement.before } }
        }
        case 'close': {
          const closed = open.pop()
          if (!closed) throw new SyntaxProblem('unexpected "}"', scan.at - 1)
          closed.block.beforeClose = statement.before
          directives = closed.directives
          data = closed.data
          break
        }
        case 'simple':
          directives.push(statement.directive)
          break
        case 'open': {
          const { directive } = statement
          if (data) throw new SyntaxProblem('unexpected "{"', scan.at - 1)
          directives.push(directive)
          if (directive.name.endsWith('_by_lua_block')) {
            directive.block = { kind: 'lua', source: readLua(scan) }
            break
          }
          const block: Block & { kind: 'directives' } = { kind: 'directives', directives: [], beforeClose: '' }
          directive.block = block
          open.push({ directives, block, data })
          directives = block.directives
          data = dataBlocks.has(directive.name)
          break
        }
        default:
          statement satisfies never
      }
    }
  } catch (problem) {
    if (!(problem instanceof SyntaxProblem)) throw problem
    return { ok: false, message: problem.message, ...positionOf(text, problem.at) }
  }
}

type Statement =
  | { kind: 'end'; before: string }
  | { kind: 'close'; before: string }
  | { kind: 'simple'; directive: Directive }
  | { kind: 'open'; directive: Directive }

function readStatement(scan: Scan): Statement {
  const { text } = scan
  let directive: Directive | undefined
  for (;;) {
    const before = readSpace(scan)
    const character = text[scan.at]
    if (character === undefined) {
      if (directive) throw new SyntaxProblem(unfinished, scan.at)
      return { kind: 'end', before }
    }
    if (character === ';' || character === '{') {
      if (!directive) throw new SyntaxProblem(`unexpected "${character}"`, scan.at)
      directive.beforeEnd = before
      scan.at++
      return { kind: character === ';' ? 'simple' : 'open', directive }
    }
    if (character === '}') {
      if (directive) throw new SyntaxProblem('unexpected "}"', scan.at)
      scan.at++
      return { kind: 'close', before }
    }
    const { line } = scan
    const column = scan.at - scan.lineStart + 1
    const raw = readToken(scan)
    const value = decode(raw)
    if (directive) directive.args.push({ value, raw, before })
    else directive = { name: value, args: [], line, column, raw, before, beforeEnd: '' }
  }
}

function readLua(scan: Scan): string {
  const end = endOfLua(scan.text, scan.at)
  if (end === undefined) throw new SyntaxProblem('unexpected end of file, expecting "}"', scan.text.length)
  const source = scan.text.slice(scan.at, end)
  for (let at = source.indexOf('\n'); at !== -1; at = source.indexOf('\n', at + 1)) countLine(scan, scan.at + at)
  scan.at = end + 1
  return source
}

function positionOf(text: string, at: number): { line: number; column: number } {
  const before = text.slice(0, at)
  const line = before.split('\n').length
  return { line, column: at - before.lastIndexOf('\n') }
}
