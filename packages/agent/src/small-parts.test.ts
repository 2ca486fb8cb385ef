import 'reflect-metadata'
import { generateKeyPairSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { scratch } from '@nxmesh/testkit/scratch'
import * as x509 from '@peculiar/x509'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { certificateRequest } from './csr.ts'
import { refusalIn } from './error-log.ts'
import { frameReader } from './link/grpc.ts'
import { readListsByName } from './lists-by-name.ts'
import { parseSockets } from './ports.ts'
import { cpuShare, cpuTimes } from './telemetry/host.ts'
import { parseStubStatus, requestMeter } from './telemetry/stub-status.ts'
import { readToken } from './trust.ts'

test('a certificate request proves its key', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const request = new x509.Pkcs10CertificateRequest(Uint8Array.from(certificateRequest(privateKey)))
  expect(await request.verify()).toBe(true)
  expect(Buffer.from(request.publicKey.rawData)).toEqual(publicKey.export({ type: 'spki', format: 'der' }))
})

test('messages come out of a stream of bytes whole, however it is cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 }),
      (messages, cuts) => {
        const bytes = Buffer.concat(
          messages.map((message) => {
            const head = Buffer.alloc(5)
            head.writeUInt32BE(message.length, 1)
            return Buffer.concat([head, message])
          }),
        )
        const got: Buffer[] = []
        const read = frameReader(100, (message) => got.push(Buffer.from(message)))
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const size = cuts[turn % cuts.length]!
          expect(read(bytes.subarray(at, at + size))).toBeUndefined()
          at += size
        }
        expect(got.map((message) => message.toString('hex'))).toEqual(messages.map((message) => Buffer.from(message).toString('hex')))
      },
    ),
  )
})

test('a message that is too long or compressed is refused before it is read', () => {
  expect(frameReader(10, () => {})(Buffer.from([0, 0, 0, 0, 11]))).toContain('11 bytes')
  expect(frameReader(10, () => {})(Buffer.from([1, 0, 0, 0, 1]))).toContain('compressed')
})

test('anything is not a token', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(readToken(text)).toBeUndefined()
      expect(readToken(`nxmesh_agent_${text}`)).toBeUndefined()
    }),
  )
})

test('stub_status is read without the question itself, and a counter that fell began anew', () => {
  const page = 'Active connections: 3 \nserver accepts handled requests\n 10 10 25 \nReading: 0 Writing: 2 Waiting: 1 \n'
  expect(parseStubStatus(page)).toEqual({ active: 2, accepted: 10, handled: 10, requests: 25, reading: 0, writing: 1, waiting: 1 })
  expect(parseStubStatus('<html>')).toBeUndefined()
  const meter = requestMeter()
  expect(meter({ requests: 10, own: 2, at: 0 })).toEqual({ total: 8, perSecond: 0 })
  expect(meter({ requests: 32, own: 4, at: 2000 })).toEqual({ total: 28, perSecond: 10 })
  expect(meter({ requests: 4, own: 0, at: 4000 })).toEqual({ total: 4, perSecond: 2 })
})

test('the share of the processor is that of the time between two looks', () => {
  const before = cpuTimes('cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 1 1 1\n')
  const after = cpuTimes('cpu  150 0 150 900 0 0 0 0 0 0\n')
  expect(cpuShare(before, after)).toBe(50)
})

test('listening sockets are read from the table of the kernel', () => {
  const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 00000000:0050 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
`
  expect(parseSockets(table, '0A')).toEqual([{ address: '127.0.0.1', port: 8080, inode: '4711' }])
})

test('nginx that tries an address in use again has not refused yet', () => {
  const line = (text: string) => `2026/01/31 10:00:00 [emerg] 1#1: ${text}`
  const trying = line('bind() to 0.0.0.0:80 failed (98: Address already in use)')
  expect(refusalIn([trying, trying])).toBe(false)
  expect(refusalIn([trying, line('still could not bind()')])).toBe(true)
  expect(refusalIn([line('unknown directive "x" in /a:1')])).toBe(true)
  expect(refusalIn(['2026/01/31 10:00:00 [alert] 1#1: worker process 7 exited on signal 11'])).toBe(false)
})

test('lists by name come from a file that holds such, and from no other', async () => {
  await using directory = await scratch()
  const path = join(directory.path, 'lists.json')
  expect(await readListsByName(path)).toEqual({})
  for (const text of ['', '[]', '[["a"]]', 'null', '"a"', '{"a":"b"}', '{"a":[1]}', '{"a":["b"],"c":[["d"]]}', '{"a":["b"']) {
    await writeFile(path, text)
    expect(await readListsByName(path), text).toEqual({})
  }
  await writeFile(path, '{"a":["b","c"],"d":[]}')
  expect(await readListsByName(path)).toEqual({ a: ['b', 'c'], d: [] })
})
