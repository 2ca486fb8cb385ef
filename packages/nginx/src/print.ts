import type { ConfigTree, Directive } from './parse.ts'

/** Writes a tree back; for a tree straight from `parse` that is the text it was read from, byte by byte. */
export function print(tree: ConfigTree): string {
  return `${tree.byteOrderMark ? '\uFEFF' : ''}${printAll(tree.directives)}${tree.after}`
}

function printAll(directives: readonly Directive[]): string {
  let text = ''
  for (const directive of directives) text += printOne(directive)
  return text
}

function printOne(directive: Directive): string {
  let text = directive.before + directive.raw
  for (const argument of directive.args) text += argument.before + argument.raw
  text += directive.beforeEnd
  switch (directive.block?.kind) {
    case undefined:
      return `${text};`
    case 'lua':
      return `${text}{${directive.block.source}}`
    case 'directives':
      return `${text}{${printAll(directive.block.directives)}${directive.block.beforeClose}}`
    default:
      return directive.block satisfies never
  }
}
