/** A group that captures: its name, if it has one, and what stands between its parentheses. */
export interface Group {
  name?: string
  text: string
}

/** The groups of a regular expression that capture, in order. Source: pcre2pattern. */
export function groupsOf(pattern: string): Group[] {
  const found: Group[] = []
  const open: ({ group: Group; from: number } | undefined)[] = []
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]
    if (character === '\\') at++
    else if (character === '[') at = endOfClass(pattern, at)
    else if (character === '(') {
      const head = /^\((?:\?(?:P?<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')|(?![?*]))/.exec(pattern.slice(at, at + 80))
      if (!head) open.push(undefined)
      else {
        const name = head[1] ?? head[2]
        const group: Group = name === undefined ? { text: '' } : { name, text: '' }
        found.push(group)
        open.push({ group, from: at + head[0].length })
      }
    } else if (character === ')') {
      const closed = open.pop()
      if (closed) closed.group.text = pattern.slice(closed.from, at)
    }
  }
  return found
}

/** Whether what a regular expression matches can hold a line break. A dot takes none unless `(?s)` says so. */
export function takesLineBreak(pattern: string): boolean {
  const dotAll = /\(\?[a-z]*s/.test(pattern)
  return pieces(pattern).some((piece) => {
    if (piece === '.') return dotAll
    const named = /\\[nsvRDWH]|\\x0[aA]/.test(piece)
    return piece.startsWith('[^') ? !named : named
  })
}

/** Whether a group matches nothing but letters, digits, `-` and `_`, which cannot change what an address means. */
export function isNarrow(group: string): boolean {
  return pieces(group.replace(/\(\?(?::|P?<\w+>|'\w+')/g, '(')).every((piece) => {
    if (piece.startsWith('[')) return /^\[(?:[A-Za-z0-9_]|\\[dw]|[A-Za-z0-9]-[A-Za-z0-9]|-(?=\]$)|(?<=^\[)-|\\-)+\]$/.test(piece)
    return /^(?:[A-Za-z0-9_|()?*+{},-]|\\[dwbB-])$/.test(piece)
  })
}

/** Whether a regular expression is held to the beginning and the end of what it is matched against. */
export function isAnchored(pattern: string): { start: boolean; end: boolean } {
  const plain = pattern.replace(/^\(\?[a-z]+\)/, '')
  // Of alternatives each would need its own.
  const whole = !hasAlternatives(plain)
  return { start: whole && /^(\^|\\A)/.test(plain), end: whole && /(^|[^\\])(\\\\)*(\$|\\[zZ])$/.test(plain) }
}

/** Whether a regular expression has alternatives outside of all groups. */
export function hasAlternatives(pattern: string): boolean {
  let depth = 0
  return pieces(pattern).some((piece) => {
    if (piece === '(') depth++
    if (piece === ')') depth--
    return piece === '|' && depth === 0
  })
}

/** The text that everything which a regular expression matches begins with, where that is plain; it must be anchored. */
export function literalStart(pattern: string): string | undefined {
  if (!pattern.startsWith('^') || hasAlternatives(pattern)) return undefined
  const found: string[] = []
  for (const piece of pieces(pattern.slice(1))) {
    if (/^[?*{]$/.test(piece)) {
      found.pop()
      break
    }
    if (/^\\[^A-Za-z0-9]$/.test(piece)) found.push(piece.slice(1))
    else if (/^[^\\^$.[\]|()?*+{}]$/.test(piece)) found.push(piece)
    else break
  }
  return found.join('')
}

/** A regular expression cut into classes, escapes and single characters. */
function pieces(pattern: string): string[] {
  const found: string[] = []
  for (let at = 0; at < pattern.length; at++) {
    let end = at
    if (pattern[at] === '\\') end = /^\\x[0-9a-fA-F]{2}/.test(pattern.slice(at, at + 4)) ? at + 3 : at + 1
    else if (pattern[at] === '[') end = endOfClass(pattern, at)
    found.push(pattern.slice(at, end + 1))
    at = end
  }
  return found
}

function endOfClass(pattern: string, from: number): number {
  let at = from + 1
  if (pattern[at] === '^') at++
  if (pattern[at] === ']') at++
  for (; at < pattern.length && pattern[at] !== ']'; at++) if (pattern[at] === '\\') at++
  return at
}
