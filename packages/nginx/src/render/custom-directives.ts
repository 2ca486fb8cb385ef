import { dataBlocks } from '../data-blocks.ts'
import { type Allowed, nothingMore, refusal } from '../directive-rules.ts'
import { isHeaderName } from '../header-direction.ts'
import { isOurPartOfMail } from '../mail-directives.ts'
import { type LoadableModule, moduleOf } from '../module-directives.ts'
import { modulesIn } from '../module-use.ts'
import { type ConfigTree, type Directive, parse } from '../parse.ts'
import { maxTokenBytes } from '../quote.ts'

/** A custom directive that is known to be one statement: its arguments as nginx decodes them and its text. */
export interface Statement {
  name: string
  args: string[]
  text: string
  /** The modules that it needs, with all in it. */
  modules?: ReadonlySet<LoadableModule>
  /** The entries of a `types` block. */
  types?: { type: string; extensions: string[] }[]
}

export type ReadStatement = { ok: true; statement: Statement } | { ok: false; reason: 'refused' | 'malformed'; message: string }

const plain = /^[A-Za-z0-9_./:@%+,=~^*?&|!<>()[\]$ -]+$/
const controlCharacter = /\p{Cc}/u
const notInHeaders = /(?!\t)\p{Cc}/u
const notInText = /(?![\n\r\t])\p{Cc}/u

/**
 * Reads a custom directive: its value is what stands after the name, with or without the final `;`, or a block. Anything but exactly
 * one statement of that name, and anything users may not set, gives a sentence that says so.
 */
export function readStatement(name: string, value: string, level: Level, allowed: Allowed): ReadStatement {
  const trimmed = value.trim()
  if (plain.test(trimmed) && !trimmed.includes('${') && !moduleOf(name)) {
    const args = trimmed.split(' ').filter((word) => word !== '')
    const reason = isAllowedIn({ level }, name, args) ? undefined : refusal(name, args, allowed)
    if (reason !== undefined) return { ok: false, reason: 'refused', message: reason }
    const header = headerProblem(name, args)
    if (header !== undefined) return { ok: false, reason: 'malformed', message: header }
    return { ok: true, statement: { name, args, text: `${name} ${trimmed};` } }
  }
  return readWithParser(name, trimmed, { level, allowed })
}

function readWithParser(name: string, value: string, rules: Rules): ReadStatement {
  const text = `${name}${value === '' || value === ';' ? '' : ' '}${value}${/[;}]$/.test(value) ? '' : ';'}`
  const parsed = parse(text)
  if (!parsed.ok && /[;}]$/.test(value)) {
    // A final `;` or `}` may be part of the last argument.
    const again = parse(`${text};`)
    if (again.ok) return fromTree(name, `${text};`, again.tree, rules)
  }
  if (!parsed.ok) return { ok: false, reason: 'malformed', message: `is not one complete directive: ${parsed.message}` }
  return fromTree(name, text, parsed.tree, rules)
}

function fromTree(name: string, text: string, tree: ConfigTree, rules: Rules): ReadStatement {
  const directive = tree.directives[0]
  if (!directive || tree.directives.length > 1 || tree.after !== '' || directive.name !== name || directive.raw !== name)
    return { ok: false, reason: 'malformed', message: `must be exactly one "${name}" directive` }
  const problem = problemOf(directive, rules)
  if (problem !== undefined) return { ok: false, ...problem }
  const args = directive.args.map((argument) => argument.value)
  const header = headerProblem(name, args)
  if (header !== undefined) return { ok: false, reason: 'malformed', message: header }
  const modules = modulesIn(directive)
  const statement: Statement = { name, args, text, ...(modules.size > 0 && { modules }) }
  if (name === 'types' && directive.block?.kind === 'directives') {
    statement.types = directive.block.directives.map((entry) => ({ type: entry.name, extensions: entry.args.map(({ value }) => value) }))
  }
  return { ok: true, statement }
}

/** A header is merged with those of other levels, so its directive must be understood. Source: nginx headers and proxy modules. */
function headerProblem(name: string, args: readonly string[]): string | undefined {
  if (name !== 'add_header' && name !== 'proxy_set_header') return undefined
  const [header, value, last] = args
  if (
    header === undefined ||
    value === undefined ||
    args.length > 3 ||
    (last !== undefined && (name !== 'add_header' || last !== 'always'))
  )
    return `"${name}" must be the name of a header and its value${name === 'add_header' ? ', with or without "always"' : ''}`
  return isHeaderName(header) ? undefined : `"${header}" is not a header name (RFC 9110 token)`
}

/**
 * Reads one of the extra directives, which holds its own name. There more is allowed than elsewhere: locations within a location
 * and what they proxy to, and upstreams beside those of the workspace.
 */
export function readExtra(value: string, level: Level, allowed: Allowed): ReadStatement {
  const trimmed = value.trim()
  const text = /[;}]$/.test(trimmed) && parse(trimmed).ok ? trimmed : `${trimmed};`
  const parsed = parse(text)
  if (!parsed.ok) return { ok: false, reason: 'malformed', message: `is not one complete directive: ${parsed.message}` }
  const name = parsed.tree.directives[0]?.name ?? ''
  if (!/^[a-z][a-z0-9_]*$/.test(name)) return { ok: false, reason: 'malformed', message: 'must begin with the name of a directive' }
  return fromTree(name, text, parsed.tree, { level, allowed })
}

type StatementProblem = { reason: 'refused' | 'malformed'; message: string }

function problemOf(directive: Directive, rules: Rules): StatementProblem | undefined {
  const { name, block } = directive
  const args = directive.args.map((argument) => argument.value)
  const message = isAllowedIn(rules, name, args) ? undefined : refusal(name, args, rules.allowed)
  if (message !== undefined) return { reason: 'refused', message }
  const written = textProblem(directive, rules)
  if (written !== undefined) return { reason: 'malformed', message: written }
  switch (block?.kind) {
    case undefined:
      return name.endsWith('_by_lua_block') ? { reason: 'malformed', message: `"${name}" must have Lua between braces` } : undefined
    case 'lua':
      return notInText.test(block.source)
        ? { reason: 'malformed', message: `the Lua of "${name}" must not contain control characters but for line breaks and tabs` }
        : undefined
    case 'directives':
      if (name === 'if' && rules.block !== undefined && rules.block !== 'location')
        return { reason: 'malformed', message: '"if" cannot stand inside another block' }
      for (const child of block.directives) {
        const inner = dataBlocks.has(name) ? entryProblem(child, { ...rules, block: name }) : problemOf(child, { ...rules, block: name })
        if (inner !== undefined) return inner
      }
      return undefined
    default:
      return block satisfies never
  }
}

/** Where a statement stands: among custom directives, among the extra directives of a location, a virtual host or the settings, among those of a stream host or the stream block, or in the mail block. */
export type Level = 'custom' | 'location' | 'server' | 'settings' | 'stream_host' | 'stream' | 'mail'

/** What a statement is held to. */
interface Rules {
  level: Level
  allowed: Allowed
  /** The block within such a statement that it stands in. */
  block?: string
}

function isAllowedIn({ level, block }: Pick<Rules, 'level' | 'block'>, name: string, args: readonly string[]): boolean {
  switch (level) {
    case 'location':
      return name === 'location' || name === 'proxy_pass'
    case 'stream_host':
      return name === 'proxy_pass'
    case 'mail':
      return isOurPartOfMail(name, block)
    case 'settings':
    case 'stream':
      return block === 'upstream' ? name === 'server' : name === 'upstream' && args.length === 1 && !args[0]!.startsWith('nxmesh_')
    default:
      return false
  }
}

/** The names in these blocks are data, all but `include`. */
function entryProblem(entry: Directive, rules: Rules): StatementProblem | undefined {
  if (entry.name === 'include') return { reason: 'refused', message: refusal('include', [], nothingMore)! }
  const message = textProblem(entry, rules)
  return message === undefined ? undefined : { reason: 'malformed', message }
}

const ofHeaders =
  /header|trailer|cookie|^userid|^(default_type|charset|auth_basic|rewrite|error_page|proxy_method|[a-z]+_pass|[a-z]+_redirect)$/

/** Tells whether words of a directive become lines of a request or an answer, where a line break would begin another. A stream has no lines. */
function becomesHeader({ name, args }: Directive, level: Level): boolean {
  if (level === 'stream_host' || level === 'stream') return false
  if (level === 'mail') return true
  if (name === 'return') return args.length !== 2 || !/^(?!30[12378]$)\d{3}$/.test(args[0]!.value)
  return ofHeaders.test(name)
}

function textProblem(directive: Directive, { level, block }: Rules): string | undefined {
  const { name, raw, before, beforeEnd, args } = directive
  const data = block !== undefined && dataBlocks.has(block)
  const inHeader = data ? block === 'types' : becomesHeader(directive, level)
  const forbidden = inHeader ? notInHeaders : notInText
  if ((data ? forbidden : controlCharacter).test(name) || args.some(({ value }) => forbidden.test(value))) {
    const escapes = inHeader ? ', nor the escapes \\r and \\n' : ' but for line breaks and tabs'
    return `"${name}" must not contain control characters${escapes}`
  }
  if (Buffer.byteLength(raw) > maxTokenBytes || args.some((argument) => Buffer.byteLength(argument.raw) > maxTokenBytes))
    return `"${name}" has an argument of more than ${maxTokenBytes} bytes, which nginx refuses`
  if (before.includes('#') || beforeEnd.includes('#') || args.some((argument) => argument.before.includes('#')))
    return 'must not contain comments'
  return undefined
}
