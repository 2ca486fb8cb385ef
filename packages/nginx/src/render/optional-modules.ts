import { dataBlocks } from '../data-blocks.ts'
import { type Directive, parse } from '../parse.ts'
import { print } from '../print.ts'
import type { CustomStatement, CustomStatements } from './read-custom.ts'
import type { Rendering } from './rendering.ts'
import type { RenderTarget } from './target.ts'

/** Modules that few hosts have, whose directives change nothing but how answers are sent: those can be left out without harm. */
export type OptionalModule = 'brotli' | 'brotli_static'

const packages: Readonly<Record<OptionalModule, string>> = {
  brotli: 'libnginx-mod-http-brotli-filter',
  brotli_static: 'libnginx-mod-http-brotli-static',
}

// Source: ngx_brotli, the tables of commands of its two modules.
function moduleOf(name: string): OptionalModule | undefined {
  if (name === 'brotli_static') return name
  return /^brotli(_types|_comp_level|_min_length|_window|_buffers)?$/.test(name) ? 'brotli' : undefined
}

type Tell = (severity: 'warning', field: string, message: string) => void

/** What a user wrote for one level without the directives of optional modules that this nginx has not, which are told; the modules of the others are noted. */
export function withoutMissing(
  custom: CustomStatements,
  { target, uses }: Pick<Rendering, 'target' | 'uses'>,
  tell: Tell,
): CustomStatements {
  if (!custom.statements.some(({ text }) => text.includes('brotli'))) return custom
  const statements = custom.statements.flatMap((statement) => {
    const missing = new Set<string>()
    const usable = (directive: Directive): boolean => {
      const module = moduleOf(directive.name)
      if (module === undefined) return true
      if (target.facts.supports[module]) uses.add(module)
      else missing.add(directive.name)
      return target.facts.supports[module]
    }
    const left = withoutUnusable(statement, usable)
    for (const name of missing) tell('warning', statement.field, `"${name}" is left out: ${lacks(target, moduleOf(name)!)}`)
    return left ? [left] : []
  })
  return { statements, names: new Set(statements.map(({ name }) => name)) }
}

function lacks({ facts, mode }: RenderTarget, module: OptionalModule): string {
  if (mode === 'include') return "the host's own nginx.conf loads no module that has it"
  return `nginx ${facts.version} here has no module that has it; Debian's is ${packages[module]}`
}

function withoutUnusable(statement: CustomStatement, usable: (directive: Directive) => boolean): CustomStatement | undefined {
  const parsed = statement.text.includes('brotli') ? parse(statement.text) : undefined
  if (!parsed?.ok) return statement
  const directives = usableOf(parsed.tree.directives, usable)
  return directives.length > 0 ? { ...statement, text: print({ ...parsed.tree, directives }) } : undefined
}

function usableOf(directives: readonly Directive[], usable: (directive: Directive) => boolean): Directive[] {
  return directives.filter(usable).map((directive) => {
    const { name, block } = directive
    if (block?.kind !== 'directives' || dataBlocks.has(name)) return directive
    return { ...directive, block: { ...block, directives: usableOf(block.directives, usable) } }
  })
}
