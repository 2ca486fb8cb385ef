/** The index of the `}` that closes a Lua block whose source begins at `from`, past braces in strings and comments; undefined when there is none. */
export function endOfLua(text: string, from: number): number | undefined {
  let depth = 0
  let at = from
  while (at < text.length) {
    const character = text[at]!
    if (character === '{') depth++
    else if (character === '}') {
      if (depth === 0) return at
      depth--
    } else if (character === '"' || character === "'") at = endOfString(text, at)
    else if (character === '[') at = endOfLongBracket(text, at) ?? at
    else if (character === '-' && text[at + 1] === '-') at = endOfComment(text, at)
    at++
  }
  return undefined
}

function endOfString(text: string, from: number): number {
  const quote = text[from]
  let at = from + 1
  while (at < text.length && text[at] !== quote) at += text[at] === '\\' ? 2 : 1
  return at
}

function endOfComment(text: string, from: number): number {
  const long = text[from + 2] === '[' ? endOfLongBracket(text, from + 2) : undefined
  if (long !== undefined) return long
  const end = text.indexOf('\n', from)
  return end === -1 ? text.length : end
}

/** The index of the last `]` of `[[…]]` or `[==[…]==]`, when one begins here. */
function endOfLongBracket(text: string, from: number): number | undefined {
  let level = 0
  while (text[from + 1 + level] === '=') level++
  if (text[from + 1 + level] !== '[') return undefined
  const closing = `]${'='.repeat(level)}]`
  const end = text.indexOf(closing, from + level + 2)
  return end === -1 ? text.length : end + closing.length - 1
}
