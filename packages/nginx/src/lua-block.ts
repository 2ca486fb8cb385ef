/** The index of the `}` that closes a Lua block whose source begins at `from`, past braces in strings and comments; undefined when there is none. Source: lua-nginx-module, tried. */
export function endOfLua(text: string, from: number): number | undefined {
  let depth = 0
  let at = from
  const unclosed: Unclosed = { '"': from, "'": from }
  while (at < text.length) {
    const character = text[at]!
    if (character === '{') depth++
    else if (character === '}') {
      if (depth === 0) return at
      depth--
    } else if (character === '"' || character === "'") at = endOfString(text, at, unclosed)
    else if (character === '[') at = endOfLongBracket(text, at) ?? at
    else if (character === '-' && text[at + 1] === '-') at = endOfComment(text, at)
    at++
  }
  return undefined
}

/** Ends of lines up to which no string that begins with this quote is closed. */
type Unclosed = { '"': number; "'": number }

/** A string ends on its line; a quote that is not closed there is a character like any other. */
function endOfString(text: string, from: number, unclosed: Unclosed): number {
  const quote = text[from] as '"' | "'"
  if (from < unclosed[quote]) return from
  let at = from + 1
  while (at < text.length && text[at] !== quote && text[at] !== '\n') at += text[at] === '\\' && text[at + 1] !== '\n' ? 2 : 1
  if (text[at] === quote) return at
  unclosed[quote] = at
  return from
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
