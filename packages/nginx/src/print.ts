import type { ConfigTree, Directive } from './parse.ts'

/** Writes a tree back; for a tree straight from `parse` that is the text it was read from, byte by byte. */
export function print(tree: ConfigTree): string {
  let text = tree.byteOrderMark ? '\uFEFF' : ''
  const open: { directives: readonly Directive[]; next: number; end: string }[] = [
    { directives: tree.directives, next: 0, end: tree.after },
  ]
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const directive = level.directives[level.next++]
    if (!directive) {
      text += level.end
      open.pop()
      continue
    }
    text += headOf(directive)
    switch (directive.block?.kind) {
      case undefined:
        text += ';'
        break
      case 'lua':
        text += `{${directive.block.source}}`
        break
      case 'directives':
        text += '{'
        open.push({ directives: directive.block.directives, next: 0, end: `${directive.block.beforeClose}}` })
        break
      default:
        directive.block satisfies never
    }
  }
  return text
}

function headOf({ before, raw, args, beforeEnd }: Directive): string {
  let head = before + raw
  for (const argument of args) head += argument.before + argument.raw
  return head + beforeEnd
}
