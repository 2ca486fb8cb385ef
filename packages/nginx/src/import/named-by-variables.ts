import type { SourceDirective } from './source.ts'
import { everything } from './text.ts'
import { passedTo, serverIn } from './upstreams.ts'

/**
 * Tells of a name of an upstream, in lower case, whether a `proxy_pass` or its like may come to it through variables: by what `set`, `map`
 * and their like give them, or by anything that fits where nothing known does.
 */
export function namedByVariables(http: readonly SourceDirective[]): (name: string) => boolean {
  const texts = new Set<string>()
  const values = new Map<string, Set<string>>()
  for (const directive of everything(http)) {
    const pass = passedTo(directive)
    if (pass?.includes('$')) texts.add(pass)
    const given = valuesOf(directive)
    if (!given) continue
    const known = values.get(given.variable) ?? new Set()
    for (const server of given.servers) known.add(server)
    values.set(given.variable, known)
  }
  const names = new Set<string>()
  const patterns: RegExp[] = []
  // What is added on the way is visited, too.
  for (const text of texts) {
    const known = values.get(/^\$\{?([a-z0-9_]+)\}?$/.exec(text)?.[1] ?? '')
    if (known) for (const value of known) texts.add(value)
    else if (text.includes('$')) patterns.push(patternOf(text))
    else names.add(text)
  }
  return (name) => names.has(name) || patterns.some((pattern) => pattern.test(name))
}

/** The variable that a directive gives values, and the servers that these name. */
function valuesOf({ name, args, block = [] }: SourceDirective): { variable: string; servers: string[] } | undefined {
  const isSet = name === 'set' || name === 'auth_request_set'
  const variable = isSet ? args[0] : args.at(-1)
  if (!(isSet || name === 'map' || name === 'geo' || name === 'split_clients') || !variable?.startsWith('$')) return undefined
  const values = isSet ? [args[1] ?? ''] : block.flatMap(({ args: [value] }) => value ?? [])
  return { variable: variable.slice(1).toLowerCase(), servers: values.map(serverIn) }
}

/** What a text can come to, whatever its variables hold. */
function patternOf(text: string): RegExp {
  const parts = text.split(/\$(?:\{[a-z0-9_]+\}|[a-z0-9_]+)/)
  return new RegExp(`^${parts.map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('.*')}$`, 's')
}
