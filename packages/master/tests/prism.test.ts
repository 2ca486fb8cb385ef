// A second reader of the document: Prism stands between client and master and refuses whatever it does not describe, in either direction.
import { spawn } from 'node:child_process'
import { Agent } from 'node:http'
import { join } from 'node:path'
import { startTestMaster } from '@nxmesh/testkit/master'
import { freePort } from '@nxmesh/testkit/ports'
import { scratch } from '@nxmesh/testkit/scratch'
import { until } from '@nxmesh/testkit/until'
import { expect, test } from 'vitest'
import type { Document } from './fuzz/document.ts'
import { randomOf } from './fuzz/random.ts'
import { newRequest, pickTarget, targetsOf } from './fuzz/requests.ts'
import { send } from './fuzz/send.ts'
import { newWorld } from './fuzz/world.ts'

const root = join(import.meta.dirname, '..', '..', '..')
const requests = 300

/** Starts Prism before the API at `upstream` and returns its address. */
async function startPrism(upstream: string) {
  const port = await freePort()
  const document = join(root, 'packages', 'api', 'openapi.json')
  const args = ['proxy', document, upstream, '--errors', '--host', '127.0.0.1', '--port', String(port)]
  const prism = spawn(join(root, 'node_modules', '.bin', 'prism'), args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise((resolve) => prism.once('close', resolve))
  let output = ''
  for (const stream of [prism.stdout, prism.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
  await until('Prism to listen', () => output.includes('is listening'), 40)
  return {
    base: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      prism.kill()
      await ended
    },
  }
}

test('Prism finds no answer that the document does not describe, and refuses no request that the master takes', async () => {
  await using directory = await scratch()
  await using mesh = await startTestMaster(directory.path)
  await using prism = await startPrism(`${mesh.base}/v1`)
  using agent = Object.assign(new Agent({ keepAlive: true }), { [Symbol.dispose]: () => agent.destroy() })
  const document = (await (await fetch(`${mesh.base}/v1/openapi.json`)).json()) as Document
  const targets = targetsOf(document)
  const random = randomOf(1)
  let world = await newWorld(mesh)
  const found: string[] = []
  let good = 0
  for (let sent = 0; sent < requests; sent++) {
    const target = pickTarget(targets, world, random)
    // The body of a GET means nothing to the master (RFC 9110 section 9.3.1), and a fault to Prism.
    const asked = newRequest(document, target, world, random, target.method === 'get' ? ['nothing'] : ['nothing', 'body'])
    const received = await send(prism.base, agent, { ...asked, path: asked.path.slice('/v1'.length) })
    if (received.status < 300) good += 1
    world.hear(asked, received)
    if (await world.isOver()) world = await newWorld(mesh)
    // Prism says what it found in a form of its own.
    if (!received.body.includes('stoplight.io/prism/errors')) continue
    // What the document does not allow has to be refused by the master too.
    const directly = received.status < 500 ? await send(mesh.base, agent, asked) : received
    if (directly.status < 400 || directly.status >= 500)
      found.push(`${asked.method} ${asked.path} ${String(asked.body)} ${directly.status} ${received.body}`)
  }
  expect(found.slice(0, 10)).toEqual([])
  expect(good).toBeGreaterThan(requests / 4)
}, 120_000)
