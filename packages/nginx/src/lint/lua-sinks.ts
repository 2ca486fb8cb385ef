import type { LuaToken } from '../lua-tokens.ts'
import type { LuaCode } from './lua-code.ts'
import { callsOf, operandsOf } from './lua-expression.ts'
import { type FromRequest, lookedAt, readLua, valueOf } from './lua-request.ts'

/** A call that gets something of the request as it came. */
export interface Sink {
  name: string
  value: FromRequest
  /** The strings among its arguments. */
  strings: readonly string[]
}

const harmless = ['ngx.log', 'ngx.say', 'ngx.print']

/** Calls whose first argument begins with something of the request, after nothing but text that a pattern takes. Each value is told once. */
export function firstFromRequest(code: LuaCode, names: readonly string[], before: RegExp): Sink[] {
  return sinksOf(code, names, ([first = []], valueIn) => {
    for (const side of operandsOf(first)) {
      const at = side.findIndex((operand) => operand.length !== 1 || operand[0]!.kind !== 'string')
      const text = side
        .slice(0, at)
        .map(([token]) => token!.text)
        .join('')
      const value = at === -1 ? undefined : valueIn(side[at]!)
      if (value && before.test(text)) return value
    }
    return undefined
  })
}

/** Calls that have something of the request anywhere in their arguments. */
export function anyFromRequest(code: LuaCode, names: readonly string[]): Sink[] {
  return sinksOf(code, names, (args, valueIn) => {
    for (const operand of args.flatMap(operandsOf).flat()) {
      const value = valueIn(operand)
      if (value) return value
    }
    return undefined
  })
}

type Arguments = readonly (readonly LuaToken[])[]

function sinksOf(
  { tokens }: LuaCode,
  names: readonly string[],
  find: (args: Arguments, valueIn: (operand: readonly LuaToken[]) => FromRequest | undefined) => FromRequest | undefined,
): Sink[] {
  const calls = callsOf(tokens, new Set(names))
  if (calls.length === 0) return []
  const reading = readLua(tokens)
  const isLookedAt = lookedAt(reading, new Set([...names, ...harmless]))
  const told = new Set<string>()
  return calls.flatMap(({ name, args }) => {
    const value = find(args, (operand) => valueOf(operand, reading))
    if (!value || told.has(value.text) || isLookedAt(value)) return []
    told.add(value.text)
    const strings = args.flat().flatMap(({ kind, text }) => (kind === 'string' ? [text] : []))
    return [{ name, value, strings }]
  })
}
