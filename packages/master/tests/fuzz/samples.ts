import fc from 'fast-check'
import { type Document, resolve, type Schema } from './document.ts'
import type { Random } from './random.ts'

/** What a sample may draw on: values that were seen in answers, and values that mean something under a name. */
export interface Material {
  document: Document
  random: Random
  /** Values seen for a name that ends in `_id`. */
  known(name: string): string | undefined
}

/** Text that has meaning for some part of the way from a request to nginx. */
const meaningful: Record<string, (random: Random) => unknown> = {
  name: (random) => `fuzz ${random.int(1, 1e9)}`,
  slug: (random) => `fuzz-${random.int(1, 1e9)}`,
  email: (random) => `fuzz-${random.int(1, 1e9)}@example.com`,
  server_name: (random) => `fuzz-${random.int(1, 1e9)}.example.com`,
  address: (random) => `10.${random.int(0, 255)}.0.${random.int(1, 254)}:${random.int(1, 65_535)}`,
  path: (random) => `/${random.pick(['', 'api', 'health', 'a/b', 'static'])}${random.int(1, 1e6)}`,
  proxy_pass: (random) => random.pick(['http://127.0.0.1:8080', 'https://example.com/x', 'http://[::1]:81/']),
  root: () => '/srv/www',
  index: () => 'index.html index.htm',
  label_selector: (random) => random.pick(['env=production', 'a!=b', 'a in (x,y)', '!gone', '']),
  custom_directives: (random) => random.pick([{}, { client_max_body_size: '10m' }, { proxy_read_timeout: '5s' }]),
  nginx_directives: (random) => random.pick([{}, { client_max_body_size: '10m' }]),
  client: (random) => random.pick([{ max_body_size: '10m' }, {}]),
  proxy: (random) => random.pick([{ read_timeout: 5 }, {}]),
  gzip: () => ({ enabled: true }),
  brotli: () => ({ enabled: true }),
  access: () => ({ rules: [{ action: 'deny', address: '203.0.113.0/24' }] }),
  auth_basic: () => ({ realm: 'fuzz', users: [{ name: 'fuzz', password: 'correct horse' }] }),
  limit_req: () => ({ rate: '10r/s' }),
  limit_conn: () => ({ connections: 10 }),
  real_ip: () => ({ trusted: ['10.0.0.0/8'] }),
  extra_directives: (random) => random.pick([[], ['client_body_timeout 5s;']]),
  dump: () => '# configuration file /etc/nginx/nginx.conf:\nevents {}\nhttp {}\n',
  source_address: () => '203.0.113.7',
  destination_address: () => '127.0.0.1',
  ssl_enabled: () => false,
  ssl_certificate_id: () => null,
  value: () => '$host',
  pattern: () => '^/old/(.*)$',
  replacement: () => '/new/$1',
}

const letters = 'abcxyz019-._ é'.split('')

/** A value that a schema describes, for a field of this name: usually valid in every respect, sometimes only in form. */
export function sample(schema: Schema, material: Material, name = '', depth = 0): unknown {
  const { document, random } = material
  const { $ref, const: only, enum: choices, anyOf, oneOf, type, ...rest } = '$ref' in schema ? resolve(document, schema) : schema
  void $ref
  if (only !== undefined) return only
  if (Array.isArray(choices)) return random.pick(choices)
  const variants = (anyOf ?? oneOf) as Schema[] | undefined
  if (/^(email|password|.*token|version|against)$/.test(name) && random.chance(0.5)) {
    const known = material.known(name)
    if (known !== undefined) return type === 'integer' ? Number(known) : known
  }
  if (random.chance(0.9) && Object.hasOwn(meaningful, name)) return meaningful[name]!(random)
  if (variants) return sample(random.pick(variants), material, name, depth)
  switch (Array.isArray(type) ? random.pick(type) : type) {
    case 'object':
      return sampleObject(rest, material, depth)
    case 'array':
      return Array.from({ length: random.int(Number(rest['minItems'] ?? 0), 2) }, () =>
        sample(rest['items'] as Schema, material, singular(name), depth + 1),
      )
    case 'string':
      return sampleText(rest, material, name)
    case 'integer':
      return sampleInteger(rest, random)
    case 'number':
      return random.next() * 1000
    case 'boolean':
      return random.chance(0.5)
    case 'null':
      return null
    default:
      return random.pick([null, 1, 'x', [], {}])
  }
}

function sampleObject(schema: Schema, material: Material, depth: number): Record<string, unknown> {
  const { random } = material
  const required = new Set(schema['required'] as string[] | undefined)
  const members = Object.entries((schema['properties'] ?? {}) as Record<string, Schema>)
    // Of many members few, or none would ever get along with all others.
    .filter(([name], _at, all) => required.has(name) || random.chance(depth > 3 ? 0.2 : Math.min(0.5, 6 / all.length)))
    .map(([name, member]) => [name, sample(member, material, name, depth + 1)])
  const { additionalProperties, propertyNames } = schema
  if (typeof additionalProperties === 'object' && additionalProperties !== null) {
    for (let count = random.int(0, 2); count > 0; count--) {
      const key = propertyNames ? sampleText(propertyNames as Schema, material, '') : `key${random.int(1, 9)}`
      members.push([key, sample(additionalProperties as Schema, material, '', depth + 1)])
    }
  }
  return Object.fromEntries(members)
}

function sampleText(schema: Schema, material: Material, name: string): string {
  const { random } = material
  const { format, pattern, minLength = 0, maxLength = 30 } = schema
  if (format === 'uuid') return (random.chance(0.9) ? material.known(name) : undefined) ?? uuid(random)
  if (format === 'date-time') return new Date(random.int(0, 2e9) * 1000).toISOString()
  if (typeof pattern === 'string') {
    const [text = ''] = fc.sample(fc.stringMatching(new RegExp(pattern)), { numRuns: 1, seed: random.int(0, 2 ** 31) })
    return text
  }
  const length = random.int(Number(minLength), Math.min(Number(maxLength), 30))
  return Array.from({ length }, () => random.pick(letters)).join('')
}

function sampleInteger({ minimum = 0, maximum = 1000 }: Schema, random: Random): number {
  const [min, max] = [Number(minimum), Number(maximum)]
  return random.pick([min, max, random.int(min, Math.min(max, min + 20)), random.int(min, max)])
}

export function uuid(random: Random): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.int(0, 15).toString(16)).join('')
  return [8, 4, 4, 4, 12].map(digits).join('-')
}

function singular(name: string): string {
  return name.replace(/_ids$/, '_id')
}
