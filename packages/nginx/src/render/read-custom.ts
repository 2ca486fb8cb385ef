import { readStatement, type Statement } from './custom-directives.ts'

const none: ReadonlyMap<string, Statement> = new Map()

/** Reads the custom directives of one level, in order; those that cannot be written are told to `refuse` and left out. */
export function readCustomDirectives(
  directives: Readonly<Record<string, string>>,
  refuse: (name: string, message: string) => void,
): ReadonlyMap<string, Statement> {
  let statements: Map<string, Statement> | undefined
  for (const name in directives) {
    if (!Object.hasOwn(directives, name)) continue
    const read = readStatement(name, directives[name]!)
    if (read.ok) (statements ??= new Map()).set(name, read.statement)
    else refuse(name, read.message)
  }
  return statements ?? none
}
