import { refusal } from '../directive-rules.ts'
import { type ConfigTree, type Directive, parse } from '../parse.ts'

/** A custom directive that is known to be one statement: its arguments as nginx decodes them and its text. */
export interface Statement {
  name: string
  args: string[]
  text: string
  /** The entries of a `types` block. */
  types?: { type: string; extensions: string[] }[]
}

export type ReadStatement = { ok: true; statement: Statement } | { ok: false; message: string }

const plain = /^[A-Za-z0-9_./:@%+,=~^*?&|!<>()[\]$ -]+$/
const controlCharacter = /[\u0000-\u001f\u007f]/

/**
 * Reads a custom directive: its value is what stands after the name, with or without the final `;`, or a block. Anything but exactly
 * one statement of that name, and anything users may not set, gives a sentence that says so.
 */
export function readStatement(name: string, value: string): ReadStatement {
  const trimmed = value.trim()
  if (plain.test(trimmed) && !trimmed.includes('${')) {
    const args = trimmed.split(' ').filter((word) => word !== '')
    const reason = refusal(name, args)
    return reason === undefined ? { ok: true, statement: { name, args, text: `${name} ${trimmed};` } } : { ok: false, message: reason }
  }
  return readWithParser(name, trimmed)
}

function readWithParser(name: string, value: string): ReadStatement {
  const text = `${name}${value === '' || value === ';' ? '' : ' '}${value}${/[;}]$/.test(value) ? '' : ';'}`
  const parsed = parse(text)
  if (!parsed.ok && /[;}]$/.test(value)) {
    // A final `;` or `}` may be part of the last argument.
    const again = parse(`${text};`)
    if (again.ok) return fromTree(name, `${text};`, again.tree)
  }
  if (!parsed.ok) return { ok: false, message: `is not one complete directive: ${parsed.message}` }
  return fromTree(name, text, parsed.tree)
}

function fromTree(name: string, text: string, tree: ConfigTree): ReadStatement {
  const directive = tree.directives[0]
  if (!directive || tree.directives.length > 1 || tree.after !== '' || directive.name !== name || directive.raw !== name)
    return { ok: false, message: `must be exactly one "${name}" directive` }
  const problem = problemOf(directive, true)
  if (problem !== undefined) return { ok: false, message: problem }
  const args = directive.args.map((argument) => argument.value)
  const statement: Statement = { name, args, text }
  if (name === 'types' && directive.block?.kind === 'directives') {
    statement.types = directive.block.directives.map((entry) => ({ type: entry.name, extensions: entry.args.map(({ value }) => value) }))
  }
  return { ok: true, statement }
}

function problemOf(directive: Directive, outermost: boolean): string | undefined {
  const args = directive.args.map((argument) => argument.value)
  const reason = refusal(directive.name, args)
  if (reason !== undefined) return reason
  if (args.some((argument) => controlCharacter.test(argument)))
    return `"${directive.name}" must not contain control characters, nor the escapes \\r, \\n and \\t`
  if (
    directive.args.some((argument) => argument.before.includes('#')) ||
    directive.before.includes('#') ||
    directive.beforeEnd.includes('#')
  )
    return 'must not contain comments'
  switch (directive.block?.kind) {
    case undefined:
      return undefined
    case 'lua':
      return `"${directive.name}" is not allowed: it runs code`
    case 'directives':
      if (!outermost && directive.name === 'if') return '"if" cannot stand inside another block'
      for (const child of directive.block.directives) {
        const inner = problemOf(child, false)
        if (inner !== undefined) return inner
      }
      return undefined
    default:
      return directive.block satisfies never
  }
}
