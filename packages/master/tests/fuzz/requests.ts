import { type Document, type Operation, type Parameter, resolve } from './document.ts'
import { brokenBytes, hostileTexts, spoiled } from './hostile.ts'
import type { Random } from './random.ts'
import { type Material, sample, uuid } from './samples.ts'
import type { World } from './world.ts'

export interface Sent {
  operation: Operation
  method: string
  path: string
  headers: Record<string, string>
  body: Buffer | undefined
}

export interface Target {
  method: string
  path: string
  operation: Operation
}

/** The operations of a document, each as often as it is worth asking for. */
export function targetsOf(document: Document): Target[] {
  const all = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
  // Creating is asked for more often than deleting, or nothing would be left to ask about.
  return all.flatMap((target) => Array.from({ length: target.method === 'delete' ? 1 : target.method === 'post' ? 4 : 3 }, () => target))
}

/** One of the operations, mostly one about things that are known to be there. */
export function pickTarget(targets: readonly Target[], world: World, random: Random): Target {
  const target = random.pick(targets)
  const names = [...target.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]!)
  const isKnown = names.every((name) => world.known(name, random) !== undefined)
  return isKnown || random.chance(0.1) ? target : pickTarget(targets, world, random)
}

/** What a request has wrong with it on purpose. */
export type Fault = 'nothing' | 'body' | 'bytes' | 'parameters' | 'headers' | 'everything'

const mixed: readonly Fault[] = [
  ...Array.from({ length: 9 }, () => 'nothing' as const),
  ...Array.from({ length: 5 }, () => 'body' as const),
  'bytes',
  'bytes',
  'parameters',
  'parameters',
  'headers',
  'headers',
  'everything',
]

/** Makes one request of an operation, out of its description, with one of these faults. */
export function newRequest(document: Document, target: Target, world: World, random: Random, faults: readonly Fault[] = mixed): Sent {
  const { operation } = target
  const fault = random.pick(faults)
  const has = (...kinds: Fault[]) => kinds.includes(fault) || fault === 'everything'
  const material: Material = { document, random, known: (name) => world.known(name, random) }
  const parameters = (operation.parameters ?? []).map((parameter) => resolve<Parameter>(document, parameter))
  const path = target.path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => {
    const parameter = parameters.find((candidate) => candidate.in === 'path' && candidate.name === name)!
    if (has('parameters') && random.chance(0.5)) return strangeSegment(random)
    return encodeURIComponent(String(world.known(name, random) ?? sample(parameter.schema, material, name)))
  })
  const query = queryText(parameters, has('parameters'), material)
  const { body, headers } = bodyOf(operation, has('body'), has('bytes'), material)
  return {
    operation,
    method: target.method.toUpperCase(),
    path: `/v1${path}${query === '' ? '' : `?${query}`}`,
    headers: { ...headers, ...headersOf(operation, parameters, has('headers'), world, material) },
    body,
  }
}

function strangeSegment(random: Random): string {
  return random.pick([
    () => encodeURIComponent(random.pick(hostileTexts).slice(0, 900)) || 'x',
    () => '%00',
    () => '%ff%fe',
    () => '%zz',
    () => '..%2f..%2f',
    () => uuid(random).toUpperCase(),
    () => `${uuid(random)}0`,
    () => '0',
    () => 'a'.repeat(random.int(100, 5000)),
    () => '%F0%9F%98%80',
  ])()
}

function queryText(parameters: Parameter[], wrong: boolean, { random, ...material }: Material): string {
  const parts = parameters
    .filter((parameter) => parameter.in === 'query' && (parameter.required || random.chance(0.4)))
    .map(({ name, schema }) => `${name}=${encodeURIComponent(String(sample(schema, { random, ...material }, name)))}`)
  if (!wrong) return parts.join('&')
  const names = parameters.filter((parameter) => parameter.in === 'query').map(({ name }) => name)
  const name = random.pick([...names, 'x', '__proto__', 'page[]', ''])
  parts.push(
    random.pick([
      () => `${name}=${encodeURIComponent(random.pick(hostileTexts).slice(0, 3000))}`,
      () => `${name}=1&${name}=2`,
      () => `${name}=-1`,
      () => `${name}=99999999999999999999`,
      () => `${name}=%zz%ff`,
      () => name,
      () => '&&==&',
    ])(),
  )
  return parts.join('&')
}

function bodyOf(operation: Operation, wrong: boolean, broken: boolean, material: Material) {
  const { random, document } = material
  const contents = operation.requestBody?.content
  if (contents === undefined) {
    // A body where none is expected.
    if (wrong || broken) return { body: Buffer.from('{"x":1}'), headers: { 'content-type': 'application/json' } }
    return { body: undefined, headers: {} }
  }
  const type = random.pick(Object.keys(contents))
  const { schema = {}, example } = contents[type]!
  const drawn = random.chance(0.25) && example !== undefined ? example : sample(schema, { ...material, document })
  const value = wrong ? spoiled(drawn, random) : drawn
  const text = JSON.stringify(value) ?? ''
  if (!wrong && operation.requestBody?.required === false && random.chance(0.3)) return { body: undefined, headers: {} }
  return { body: broken ? brokenBytes(text, random) : Buffer.from(text), headers: { 'content-type': type } }
}

function headersOf(
  operation: Operation,
  parameters: Parameter[],
  wrong: boolean,
  world: World,
  material: Material,
): Record<string, string> {
  const { random } = material
  const headers: Record<string, string> = {}
  if (operation.security?.length !== 0 || random.chance(0.2)) {
    const person = random.chance(0.6) ? world.people[0]! : random.pick(world.people)
    headers['authorization'] = `Bearer ${person.token}`
  }
  for (const { name, example } of parameters.filter((parameter) => parameter.in === 'header')) {
    // A precondition that is stale keeps changes from happening; a key that was used before has its own answer.
    if (random.chance(name === 'If-Match' ? 0.1 : 0.3))
      headers[name.toLowerCase()] = random.pick([String(example), `${random.int(1, 50)}`, `"${random.int(1, 3)}"`])
    if (wrong && random.chance(0.5)) headers[name.toLowerCase()] = strangeHeader(random)
  }
  if (wrong) Object.assign(headers, random.pick(strangeHeaders)(random))
  return headers
}

const strangeHeaders: readonly ((random: Random) => Record<string, string>)[] = [
  (random) => ({ authorization: strangeHeader(random) }),
  () => ({ authorization: 'Bearer' }),
  () => ({ authorization: 'Bearer a.b.c' }),
  () => ({ authorization: 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.' }),
  () => ({ authorization: 'Basic YWRtaW46YWRtaW4=' }),
  () => ({ 'content-type': 'text/plain' }),
  () => ({ 'content-type': 'application/json; charset=utf-16' }),
  () => ({ 'content-type': 'multipart/form-data; boundary=x' }),
  (random) => ({ 'content-type': strangeHeader(random) }),
  () => ({ 'content-encoding': 'gzip' }),
  () => ({ accept: 'application/xml' }),
  () => ({ cookie: 'a=b; nxmesh_session=x; __Host-nxmesh_session=x' }),
  () => ({ origin: 'http://evil.example' }),
  () => ({ 'x-forwarded-for': '1.2.3.4, 5.6.7.8', 'x-forwarded-host': 'evil.example' }),
  () => ({ 'if-match': '*' }),
  () => ({ 'if-match': 'W/"1", "2"' }),
  () => ({ 'if-none-match': '*' }),
  () => ({ range: 'bytes=0-1' }),
  () => ({ expect: 'x' }),
]

// Node refuses to send what HTTP does not allow in a header, so this stays among what can be sent.
function strangeHeader(random: Random): string {
  const text = random.pick(hostileTexts).slice(0, 2000)
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replaceAll(/[^\t\x20-\x7e\x80-\xff]/g, '')
}
