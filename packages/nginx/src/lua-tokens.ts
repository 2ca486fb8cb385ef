/** A token of Lua. The text of a string is what it stands for, that of all others what is written. */
export interface LuaToken {
  kind: 'name' | 'string' | 'number' | 'symbol'
  text: string
}

const space = /\s+/y
const comment = /--(?!\[=*\[)[^\n]*/y
const longComment = /--\[(=*)\[(?:.*?\]\1\]|.*$)/sy
const longString = /\[(=*)\[\r?\n?(.*?)(?:\]\1\]|$)/sy
// One that is not closed on its line is no Lua, and ends there.
const quoted = /"((?:\\.|[^"\\\n])*)\\?(?:"|(?=\n)|$)|'((?:\\.|[^'\\\n])*)\\?(?:'|(?=\n)|$)/sy
const name = /[A-Za-z_]\w*/y
const number = /0[xX][\da-fA-F]+|\d+(?:\.(?!\.)\d*)?(?:[eE][+-]?\d+)?|\.\d+/y
const symbol = /\.\.\.|\.\.|==|~=|<=|>=|::|./sy

/** The tokens of Lua, without spaces and comments. What is no Lua gives tokens, too: nothing is refused. Source: Lua 5.1 manual, 2.1. */
export function luaTokens(source: string): LuaToken[] {
  const tokens: LuaToken[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(source)
    if (match) at = pattern.lastIndex
    return match
  }
  while (at < source.length) {
    if (take(space) || take(longComment) || take(comment)) continue
    const long = take(longString)
    const short = long ? null : take(quoted)
    if (long) tokens.push({ kind: 'string', text: long[2]! })
    else if (short) tokens.push({ kind: 'string', text: unescaped(short[1] ?? short[2]!) })
    else tokens.push(word(take))
  }
  return tokens
}

function word(take: (pattern: RegExp) => RegExpExecArray | null): LuaToken {
  const named = take(name)
  if (named) return { kind: 'name', text: named[0] }
  const counted = take(number)
  return counted ? { kind: 'number', text: counted[0] } : { kind: 'symbol', text: take(symbol)![0] }
}

const escapes: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

function unescaped(text: string): string {
  return text.replace(/\\(?:x([\da-fA-F]{2})|(\d{1,3})|(.))/gs, (_, hex?: string, decimal?: string, other: string = '') =>
    hex !== undefined || decimal !== undefined
      ? String.fromCharCode(hex === undefined ? Number(decimal) : parseInt(hex, 16))
      : (escapes[other] ?? other),
  )
}
