import { expect, test } from 'vitest'
import { openGate } from './gate.ts'
import { openOutbox } from './outbox.ts'

function slowStream() {
  const written: string[] = []
  let drained: (() => void) | undefined
  return {
    written,
    write(frame: Buffer, done?: () => void) {
      written.push(frame.toString())
      done?.()
      return false
    },
    once(_event: 'drain', listener: () => void) {
      drained = listener
    },
    drain() {
      drained?.()
    },
  }
}

test('a config and commands go before acknowledgements, and only the newest config goes', () => {
  const stream = slowStream()
  const outbox = openOutbox(stream, openGate(1000, 1000), () => undefined)
  for (const ack of ['ack 1', 'ack 2', 'ack 3']) outbox.ack(Buffer.from(ack))
  outbox.config(Buffer.from('config 1'))
  outbox.config(Buffer.from('config 2'))
  outbox.urgent(Buffer.from('command'))
  for (let turn = 0; turn < 5; turn++) stream.drain()
  expect(stream.written).toEqual(['ack 1', 'command', 'config 2', 'ack 2', 'ack 3'])
})

test('more than a thousand frames or a megabyte that nobody reads is too much', () => {
  for (const [frame, count] of [
    [Buffer.alloc(20), 1001],
    [Buffer.alloc(300_000), 4],
  ] as const) {
    let overflows = 0
    const outbox = openOutbox(slowStream(), openGate(1000, 1000), () => {
      overflows++
      outbox.close()
    })
    for (let sent = 0; sent <= count + 1; sent++) outbox.ack(frame)
    expect(overflows).toBe(1)
  }
})
