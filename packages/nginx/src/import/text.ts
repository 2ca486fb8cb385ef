import { dataBlocks } from '../data-blocks.ts'
import type { SourceDirective } from './source.ts'

/** A directive as one text, on one line where it has no block, without its final `;`. */
export function textOf({ head, block, lua }: SourceDirective): string {
  if (lua !== undefined) return `${head} {${lua}}`
  return block ? `${head} {\n${block.map((child) => inner(child, '    ')).join('')}}` : head
}

function inner(directive: SourceDirective, indent: string): string {
  const { head, block, lua } = directive
  if (lua !== undefined) return `${indent}${head} {${lua}}\n`
  if (!block) return `${indent}${head};\n`
  return `${indent}${head} {\n${block.map((child) => inner(child, `${indent}    `)).join('')}${indent}}\n`
}

/** What stands after the name. */
export function argumentsOf(directive: SourceDirective): string {
  return textOf(directive).slice(directive.name.length).trim()
}

/** The directives of a block and of all blocks in it, but for those that are data. */
export function* everything(directives: readonly SourceDirective[]): Generator<SourceDirective> {
  for (const directive of directives) {
    yield directive
    if (directive.block && !dataBlocks.has(directive.name)) yield* everything(directive.block)
  }
}
