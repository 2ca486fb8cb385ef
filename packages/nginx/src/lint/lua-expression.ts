import type { LuaToken } from '../lua-tokens.ts'

/** What names lead to: `ngx.var.arg_a`, `ngx.req.get_uri_args().a`; arguments of calls are left out of the text. */
export interface Chain {
  text: string
  /** The token behind it. */
  end: number
}

/** A call by its name, with the tokens of each argument. */
export interface Call {
  name: string
  args: readonly (readonly LuaToken[])[]
  /** Where its name begins. */
  at: number
}

const is = (token: LuaToken | undefined, text: string) => token?.kind === 'symbol' && token.text === text
const opening = new Map([
  ['(', ')'],
  ['[', ']'],
  ['{', '}'],
])
const closing = new Set(opening.values())

/** The names that begin at a token, where some do. */
export function chainAt(tokens: readonly LuaToken[], from: number): Chain | undefined {
  const first = tokens[from]
  if (first?.kind !== 'name' || is(tokens[from - 1], '.') || is(tokens[from - 1], ':')) return undefined
  let text = first.text
  let at = from + 1
  for (;;) {
    const [token, next] = [tokens[at], tokens[at + 1]]
    if ((is(token, '.') || is(token, ':')) && next?.kind === 'name') {
      text += token!.text + next.text
      at += 2
    } else if (is(token, '[') && next?.kind === 'string' && is(tokens[at + 2], ']')) {
      text += `.${next.text}`
      at += 3
    } else if (is(token, '(')) {
      text += '()'
      const end = closedAt(tokens, at)
      if (end === undefined) return undefined
      at = end + 1
    } else return { text, end: at }
  }
}

/** The calls of functions of these names. */
export function callsOf(tokens: readonly LuaToken[], names: ReadonlySet<string>): Call[] {
  return tokens.flatMap((_, at): Call[] => {
    const name = calledAt(tokens, at)
    if (name === undefined || !names.has(name.text)) return []
    const argument = tokens[name.end]
    // `f "text"` is a call, too.
    if (argument?.kind === 'string') return [{ name: name.text, args: [[argument]], at }]
    const end = closedAt(tokens, name.end)
    return end === undefined ? [] : [{ name: name.text, args: split(tokens.slice(name.end + 1, end), ','), at }]
  })
}

/** The names before the first call among those that begin at a token. */
function calledAt(tokens: readonly LuaToken[], from: number): Chain | undefined {
  const first = tokens[from]
  if (first?.kind !== 'name' || is(tokens[from - 1], '.') || is(tokens[from - 1], ':')) return undefined
  // `function f(a)` calls nothing.
  if (tokens[from - 1]?.text === 'function') return undefined
  let text = first.text
  let at = from + 1
  while (is(tokens[at], '.') && tokens[at + 1]?.kind === 'name') {
    text += `.${tokens[at + 1]!.text}`
    at += 2
  }
  return is(tokens[at], '(') || tokens[at]?.kind === 'string' ? { text, end: at } : undefined
}

/** The operands of `..`, for each side of `or`; none where anything else decides. */
export function operandsOf(tokens: readonly LuaToken[]): readonly (readonly (readonly LuaToken[])[])[] {
  if (tokens.some(({ kind, text }) => kind === 'name' && (text === 'and' || text === 'function'))) return []
  return split(tokens, 'or').map((side) => split(side, '..'))
}

function split(tokens: readonly LuaToken[], by: string): LuaToken[][] {
  const parts: LuaToken[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if (token.kind === 'symbol' && opening.has(token.text)) depth++
    if (token.kind === 'symbol' && closing.has(token.text)) depth--
    if (depth === 0 && token.kind !== 'string' && token.text === by) parts.push([])
    else parts.at(-1)!.push(token)
  }
  return tokens.length === 0 ? [] : parts
}

// What is longer is told apart by nobody, and all of it would be read once for each bracket in it.
const mostTokens = 200

/** The bracket that closes the one at a token; undefined where none does, or only far behind it. */
function closedAt(tokens: readonly LuaToken[], from: number): number | undefined {
  let depth = 0
  const last = Math.min(tokens.length, from + mostTokens)
  for (let at = from; at < last; at++) {
    const token = tokens[at]!
    if (token.kind !== 'symbol') continue
    if (opening.has(token.text)) depth++
    else if (closing.has(token.text) && --depth === 0) return at
  }
  return undefined
}
