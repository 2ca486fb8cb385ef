import type { ConfigTree, Directive } from './parse.ts'

/** Writes a tree back; for a tree straight from `parse` that is the text it was read from, byte by byte. */
export function print(tree: ConfigTree): string {
  const parts = [tree.byteOrderMark ? '\uFEFF' : '']
  const open: { directives: readonly Directive[]; next: number; end: string }[] = [
    { directives: tree.directives, next: 0, end: tree.after },
  ]
  for (let level = open.at(-1); level !== undefined; level = open.at(-1)) {
    const directive = level.directives[level.next++]
    if (!directive) {
      parts.push(level.end)
      open.pop()
      continue
    }
    printHead(directive, parts)
    switch (directive.block?.kind) {
      case undefined:
        parts.push(';')
        break
      case 'lua':
        parts.push(`{${directive.block.source}}`)
        break
      case 'directives':
        parts.push('{')
        open.push({ directives: directive.block.directives, next: 0, end: `${directive.block.beforeClose}}` })
        break
      default:
        directive.block satisfies never
    }
  }
  return parts.join('')
}

function printHead({ before, raw, args, beforeEnd }: Directive, parts: string[]): void {
  parts.push(before, raw)
  for (const argument of args) parts.push(argument.before, argument.raw)
  parts.push(beforeEnd)
}
