/** What nginx makes of the target of a request. */
export interface Target {
  /** The decoded path that locations and rewrites see, latin1 byte by byte. */
  uri: string
  args: string
  unparsed: string
  /** Whether it held `%`: captures of it are then escaped again where they become arguments. `maybe` where nginx is not consistent. */
  quoted: 'yes' | 'no' | 'maybe'
  plus: boolean
}

export type Normalised = { ok: true; target: Target } | { ok: false; why: string }

/**
 * Decodes and normalises a request's path: `%XX`, `.`, `..`, and several slashes in one place unless `mergeSlashes` is false.
 * Source: nginx, ngx_http_parse_complex_uri.
 */
export function normalise(unparsed: string, mergeSlashes: boolean): Normalised {
  const bad = (why: string): Normalised => ({ ok: false, why })
  if (!unparsed.startsWith('/')) return bad('the path does not begin with "/"')
  const cut = unparsed.indexOf('#')
  const seen = cut === -1 ? unparsed : unparsed.slice(0, cut)
  const question = seen.indexOf('?')
  const path = question === -1 ? seen : seen.slice(0, question)
  const args = question === -1 ? '' : seen.slice(question + 1)
  const percent = path.indexOf('%')
  const odd = path.search(/\/[/.]/)
  const quoted = percent === -1 ? 'no' : odd !== -1 && odd < percent ? 'maybe' : 'yes'
  let text = ''
  let plus = path.includes('+')
  for (let at = 0; at < path.length; at++) {
    if (path[at] !== '%') {
      text += path[at]
      continue
    }
    const digits = path.slice(at + 1, at + 3)
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) return bad('a "%" is not followed by two digits')
    const byte = String.fromCharCode(Number.parseInt(digits, 16))
    if (byte === '\0') return bad('the path holds a zero byte')
    if (byte === '+') plus = true
    text += byte
    at += 2
  }
  const uri = withoutDots(text, mergeSlashes)
  if (uri === undefined) return bad('".." leads out of the root')
  return { ok: true, target: { uri, args, unparsed, quoted, plus } }
}

function withoutDots(text: string, mergeSlashes: boolean): string | undefined {
  if (!/\/[/.]/.test(text)) return text
  const parts = text.slice(1).split('/')
  const kept: string[] = []
  for (const [at, part] of parts.entries()) {
    const last = at === parts.length - 1
    if (part === '.') {
      if (last) kept.push('')
    } else if (part === '..') {
      if (kept.length === 0) return undefined
      kept.pop()
      if (last) kept.push('')
    } else if (part === '' && !last && mergeSlashes) continue
    else kept.push(part)
  }
  return `/${kept.join('/')}`
}
