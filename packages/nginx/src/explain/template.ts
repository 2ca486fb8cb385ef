import { escapeArgs } from './escape.ts'
import type { Node } from './read-config.ts'
import { Unsure } from './unsure.ts'
import type { Visit } from './visit.ts'

export type Part = { kind: 'text'; text: string } | { kind: 'capture'; number: number } | { kind: 'variable'; name: string }

/** Splits text with `$variables` and `$1` into its parts. Source: nginx, ngx_http_script_compile. */
export function partsOf(text: string, node?: Node): Part[] {
  const parts: Part[] = []
  let plain = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== '$') {
      plain += text[at]
      continue
    }
    const found = /^(?:([1-9])|\{(\w+)\}|(\w+))/.exec(text.slice(at + 1, at + 200))
    if (!found) throw new Unsure('a "$" begins no variable', node)
    if (plain !== '') parts.push({ kind: 'text', text: plain })
    plain = ''
    const [all, digit, braced, bare] = found
    parts.push(
      digit === undefined ? { kind: 'variable', name: (braced ?? bare)!.toLowerCase() } : { kind: 'capture', number: Number(digit) },
    )
    at += all.length
  }
  if (plain !== '') parts.push({ kind: 'text', text: plain })
  return parts
}

/** How captures are escaped: always, never, or not known where nginx remembers an earlier directive. */
export type Quoting = 'yes' | 'no' | 'maybe'

/** What a part stands for now. */
export function valueOf(visit: Visit, part: Part, quoting: Quoting, node?: Node): string {
  switch (part.kind) {
    case 'text':
      return part.text
    case 'variable':
      return visit.variable(part.name, node)
    case 'capture':
      return captureOf(visit, part.number, quoting, node)
    default:
      return part satisfies never
  }
}

function captureOf(visit: Visit, number: number, quoting: Quoting, node?: Node): string {
  if (visit.captures === 'unknown') throw new Unsure(`what $${number} holds after other regular expressions were tried`, node)
  const text = visit.captures[number] ?? ''
  if (quoting === 'no' || text === '') return text
  if (!visit.plus && visit.quoted === 'no') return text
  const escaped = escapeArgs(text)
  if (escaped !== text && (quoting === 'maybe' || (!visit.plus && visit.quoted === 'maybe')))
    throw new Unsure(`whether nginx escapes $${number} again here`, node)
  return escaped
}

/** What the parts of one text stand for now. */
export function valuesOf(visit: Visit, parts: readonly Part[], quoting: Quoting, node?: Node): string[] {
  const captured = visit.captures
  let length = 0
  const values = parts.map((part) => {
    const value = valueOf(visit, part, quoting, node)
    length = requireShort(length + value.length, node)
    return value
  })
  requireSame(visit, captured, parts, node)
  return values
}

/** Text that grows with each directive would have no end here; nginx refuses it at some length, too. */
export function requireShort(length: number, node?: Node): number {
  if (length > 65_536) throw new Unsure('what nginx does with a text of more than 64 kB', node)
  return length
}

/** nginx measures a text before it writes it: a map that matches meanwhile changes `$1` between the two. */
export function requireSame(visit: Visit, captured: Visit['captures'], parts: readonly Part[], node?: Node): void {
  if (visit.captures !== captured && parts.some((part) => part.kind === 'capture'))
    throw new Unsure('what $1 holds in a text that asks a map with regular expressions too', node)
}

/** What text with variables stands for now, captures as they are. */
export function expand(visit: Visit, text: string, node?: Node): string {
  return text.includes('$') ? valuesOf(visit, partsOf(text, node), 'no', node).join('') : text
}
