import { hash, randomInt } from 'node:crypto'

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const rounds = 5000
const lastTriple = 20

/** Hashes a password as crypt(3) does under `$6$`, which every C library under nginx knows. Source: "Unix crypt using SHA-256 and SHA-512". */
export function sha512Crypt(password: string, salt: string = randomSalt()): string {
  const [key, seasoning] = [Buffer.from(password), Buffer.from(salt)]
  let sum = first(key, seasoning)
  const keys = repeated(sha512(...Array<Buffer>(key.length).fill(key)), key.length)
  const salts = repeated(sha512(...Array<Buffer>(16 + sum[0]!).fill(seasoning)), seasoning.length)
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1
    const parts = [odd ? keys : sum]
    if (round % 3 !== 0) parts.push(salts)
    if (round % 7 !== 0) parts.push(keys)
    parts.push(odd ? sum : keys)
    sum = sha512(...parts)
  }
  return `$6$${salt}$${encoded(sum)}`
}

function first(key: Buffer, salt: Buffer): Buffer {
  const alternate = sha512(key, salt, key)
  const parts = [key, salt, repeated(alternate, key.length)]
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push(bits % 2 === 1 ? alternate : key)
  return sha512(...parts)
}

function sha512(...parts: Buffer[]): Buffer {
  return hash('sha512', Buffer.concat(parts), 'buffer')
}

function repeated(block: Buffer, length: number): Buffer {
  return Buffer.concat(Array<Buffer>(Math.ceil(length / block.length)).fill(block)).subarray(0, length)
}

function encoded(sum: Buffer): string {
  let text = ''
  let [a, b, c] = [0, 21, 42]
  for (let triple = 0; triple <= lastTriple; triple++) {
    text += sixes((sum[a]! << 16) | (sum[b]! << 8) | sum[c]!, 4)
    ;[a, b, c] = [b + 1, c + 1, a + 1]
  }
  return text + sixes(sum[63]!, 2)
}

function sixes(value: number, count: number): string {
  return Array.from({ length: count }, (_, at) => alphabet[(value >> (6 * at)) & 63]).join('')
}

function randomSalt(): string {
  return Array.from({ length: 16 }, () => alphabet[randomInt(64)]).join('')
}
