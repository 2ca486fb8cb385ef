import { createPublicKey, type KeyObject, sign } from 'node:crypto'

/** A certificate request for a P-256 key, DER (RFC 2986). The subject is left to whoever signs it. */
export function certificateRequest(key: KeyObject): Buffer {
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const info = sequence(Buffer.from([0x02, 0x01, 0x00]), sequence(), publicKey, Buffer.from([0xa0, 0x00]))
  const signature = sign('sha256', info, key)
  return sequence(info, sequence(ecdsaWithSha256), element(0x03, Buffer.concat([Buffer.from([0]), signature])))
}

// 1.2.840.10045.4.3.2 (RFC 5758 section 3.2)
const ecdsaWithSha256 = Buffer.from([0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02])

function sequence(...parts: Buffer[]): Buffer {
  return element(0x30, Buffer.concat(parts))
}

function element(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content])
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  if (length < 0x100) return [0x81, length]
  return [0x82, length >> 8, length & 0xff]
}
