import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const begin = 'nxm_'
const letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
// 8 letters to know it again, 32 of secret (190 bits), and the checksum, by which scanners tell a token from noise.
const pattern = /^nxm_([0-9A-Za-z]{8})([0-9A-Za-z]{32})([0-9A-Za-z]{6})$/

/** A new API token, with its visible beginning and the hash that is kept. */
export function newApiToken(): { token: string; prefix: string; hash: string } {
  const body = Array.from({ length: 40 }, () => letters[randomInt(letters.length)]).join('')
  const token = `${begin}${body}${checksum(body)}`
  return { token, prefix: `${begin}${body.slice(0, 8)}`, hash: hashOf(token) }
}

/** The hash of an API token, or undefined for a text that is none of ours, which its checksum tells without a look at the database. */
export function apiTokenHash(text: string): string | undefined {
  const [, prefix, secret, sum] = pattern.exec(text) ?? []
  return prefix !== undefined && sum === checksum(`${prefix}${secret}`) ? hashOf(text) : undefined
}

/** Whether a text means to be an API token. */
export function isApiToken(text: string): boolean {
  return text.startsWith(begin)
}

function checksum(text: string): string {
  let left = crc32(text)
  let sum = ''
  for (let digit = 0; digit < 6; digit++) {
    sum = letters[left % letters.length]! + sum
    left = Math.floor(left / letters.length)
  }
  return sum
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
