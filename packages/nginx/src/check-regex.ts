/**
 * Says what is plainly wrong with a regular expression: a group or class that is not closed, a final backslash. Everything else is
 * left to nginx, whose PCRE knows more than this. Source: pcre2pattern.
 */
export function regexProblem(pattern: string): string | undefined {
  if (/\\Q|\(\?[a-z]*x/.test(pattern)) return undefined
  let depth = 0
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '\\') {
      if (at + 1 === pattern.length) return 'must not end with a backslash'
      at++
    } else if (character === '(') depth++
    else if (character === ')') {
      if (depth === 0) return 'has a ")" that closes nothing'
      depth--
    } else if (character === '[') {
      const end = endOfClass(pattern, at)
      if (end === undefined) return 'has a "[" that is not closed'
      at = end
    }
  }
  return depth > 0 ? 'has a "(" that is not closed' : undefined
}

/** How many groups a regular expression captures, those with names included. */
export function groupCount(pattern: string): number {
  const plain = pattern.replace(/\\./gs, '').replace(/\[\^?\]?[^\]]*\]/g, '')
  return (plain.match(/\((?!\?(?!P?<[A-Za-z_]|'))(?!\*)/g) ?? []).length
}

function endOfClass(pattern: string, from: number): number | undefined {
  let at = from + 1
  if (pattern[at] === '^') at++
  if (pattern[at] === ']') at++
  for (; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++
    else if (pattern[at] === '[' && ':.='.includes(pattern[at + 1] ?? ' ')) {
      const close = pattern.indexOf(`${pattern[at + 1]}]`, at + 2)
      if (close !== -1) at = close + 1
    } else if (pattern[at] === ']') return at
  }
  return undefined
}
