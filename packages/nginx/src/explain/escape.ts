import { Unsure } from './unsure.ts'

// nginx escapes these only since 1.21.1, so what it does depends on its version.
const sinceLater = /["<>\\^`{|}]/

/** Escapes text for use as arguments, as nginx does for captures of a URI that was escaped. Source: nginx, ngx_escape_uri. */
export function escapeArgs(text: string): string {
  refuseDoubtful(text)
  return text.replace(/[\0- #%&+;?\x7f-\xff]/g, hex)
}

/** Escapes a path for the way to an upstream or into a redirect. */
export function escapePath(text: string): string {
  refuseDoubtful(text)
  return text.replace(/[\0- #%?\x7f-\xff]/g, hex)
}

/** Decodes what was written for a redirect, up to its arguments: visible characters above "%" only. Source: nginx, ngx_unescape_uri. */
export function unescapeRedirect(text: string): string {
  let written = ''
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '?') return written + text.slice(at)
    if (text[at] !== '%') {
      written += text[at]
      continue
    }
    const digits = text.slice(at + 1, at + 3)
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) throw new Unsure('a "%" without two digits in a redirect')
    at += 2
    const byte = Number.parseInt(digits, 16)
    if (byte === 0x3f) return `${written}?${text.slice(at + 1)}`
    written += byte > 0x25 && byte < 0x7f ? String.fromCharCode(byte) : `%${digits}`
  }
  return written
}

/** A path for a redirect that nginx makes itself: only releases since 1.21.1 escape it, so it must need none. */
export function plainPath(text: string): string {
  if (escapePath(text) !== text) throw new Unsure('whether nginx escapes the path in a redirect depends on its release')
  return text
}

function refuseDoubtful(text: string): void {
  const found = sinceLater.exec(text)
  if (found) throw new Unsure(`how "${found[0]}" is escaped depends on the release of nginx`)
}

const hex = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`
