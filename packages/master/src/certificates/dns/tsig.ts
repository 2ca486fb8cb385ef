import { createHmac, timingSafeEqual } from 'node:crypto'
import type { TsigAlgorithm } from '@nxmesh/model/dns-provider'
import { classes, encodedName, encodedRecord, type TsigRecord, types, u16, u32, u48 } from './wire.ts'

export interface TsigKey {
  name: string
  algorithm: TsigAlgorithm
  secret: Buffer
}

type Signed = Pick<TsigRecord, 'time' | 'fudge' | 'error' | 'other'>

const fudge = 300

/** Signs a message (RFC 8945); `mac` is what the answer to it has to be signed with besides the key. */
export function sign(message: Buffer, key: TsigKey, now: number): { message: Buffer; mac: Buffer } {
  const signed = { time: Math.floor(now / 1000), fudge, error: 0, other: Buffer.alloc(0) }
  const mac = macOf([message], key, signed)
  const data = [encodedName(key.algorithm), u48(signed.time), u16(fudge), u16(mac.length), mac, message.subarray(0, 2), u16(0), u16(0)]
  const record = encodedRecord({ name: key.name, type: types.tsig, class: classes.any, ttl: 0, data: Buffer.concat(data) })
  return { message: Buffer.concat([counted(message, 1), record]), mac }
}

/** Whether an answer was signed with the key, and for the message with that `mac`. */
export function isSigned(reply: Buffer, tsig: TsigRecord, key: TsigKey, mac: Buffer, now: number): boolean {
  if (tsig.name !== bare(key.name) || tsig.algorithm !== key.algorithm) return false
  if (Math.abs(now / 1000 - tsig.time) > Math.max(tsig.fudge, fudge)) return false
  const signed = Buffer.concat([u16(tsig.originalId), counted(reply, -1).subarray(2, tsig.at)])
  const expected = macOf([u16(mac.length), mac, signed], key, tsig)
  return expected.length === tsig.mac.length && timingSafeEqual(expected, tsig.mac)
}

function macOf(parts: Buffer[], { name, algorithm, secret }: TsigKey, { time, fudge: within, error, other }: Signed): Buffer {
  const hmac = createHmac(algorithm.slice('hmac-'.length), secret)
  for (const part of parts) hmac.update(part)
  const owner = [encodedName(name), u16(classes.any), u32(0), encodedName(algorithm)]
  return hmac.update(Buffer.concat([...owner, u48(time), u16(within), u16(error), u16(other.length), other])).digest()
}

// The signature is one of the additional records, but the count of them is signed without it.
function counted(message: Buffer, more: number): Buffer {
  const copy = Buffer.from(message)
  copy.writeUInt16BE(copy.readUInt16BE(10) + more, 10)
  return copy
}

function bare(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}
