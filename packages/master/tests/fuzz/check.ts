import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { type Document, type Header, type Operation, type Response, resolve, type Schema } from './document.ts'

export interface Received {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

export type Check = (operation: Operation, received: Received) => string[]

/** Says what is wrong with an answer by the document: its status, a header, or any field of its body, also one too many. */
export function checkAnswers(document: Document): Check {
  const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'document', components: { schemas: closed(document.components.schemas) } })
  const validators = new Map<string, ValidateFunction>()

  function validate(schema: Schema, value: unknown): string[] {
    const key = JSON.stringify(schema)
    const validator = validators.get(key) ?? ajv.compile(JSON.parse(key.replaceAll('"#/components', '"document#/components')))
    validators.set(key, validator)
    if (validator(value)) return []
    return (validator.errors ?? []).map(({ instancePath, message, params }) => `body${instancePath} ${message} ${JSON.stringify(params)}`)
  }

  return (operation, received) => {
    const { status, headers, body } = received
    if (status >= 500) return [`answers ${status}: ${body.slice(0, 500)}`]
    const described = operation.responses[status]
    if (described === undefined) return [`answers ${status}, which is not in the document: ${body.slice(0, 300)}`]
    const response = resolve<Response>(document, described)
    return [
      ...checkHeaders(document, response, headers),
      ...checkBody(response, received, validate),
      ...(/\bat .+\.[jt]s:\d+|PRIVATE KEY|"password_hash":"(?!\[redacted\]"|hidden [0-9a-f]{8}")|\$argon2/.test(body)
        ? ['shows what nobody should see']
        : []),
    ]
  }
}

function checkHeaders(document: Document, response: Response, headers: Received['headers']): string[] {
  return Object.entries(response.headers ?? {}).flatMap(([name, described]) => {
    const { required = false, schema } = resolve<Header>(document, described)
    const value = headers[name.toLowerCase()]
    if (value === undefined) return required ? [`lacks the header ${name}`] : []
    const { pattern, type } = schema
    if (typeof pattern === 'string' && !new RegExp(pattern).test(String(value))) return [`has a wrong ${name}: ${String(value)}`]
    return type === 'integer' && !/^\d+$/.test(String(value)) ? [`has a ${name} that is no number: ${String(value)}`] : []
  })
}

function checkBody({ content }: Response, { headers, body }: Received, validate: (schema: Schema, value: unknown) => string[]): string[] {
  if (content === undefined) return body === '' ? [] : [`has a body where the document shows none: ${body.slice(0, 100)}`]
  const type = String(headers['content-type'] ?? '').split(';')[0]!
  const media = content[type]
  if (media === undefined) return [`is of type "${type}", which is not in the document`]
  if (type !== 'application/json') return []
  try {
    return validate(media.schema ?? {}, JSON.parse(body))
  } catch (error) {
    return [`has a body that is not JSON (${String(error)}): ${body.slice(0, 100)}`]
  }
}

// The document leaves answers open, because clients have to bear new fields; here a field too many is a leak.
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed)
  if (typeof schema !== 'object' || schema === null) return schema
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, key === 'examples' ? value : closed(value)]))
  return inner['type'] === 'object' && 'properties' in inner && !('additionalProperties' in inner)
    ? { ...inner, additionalProperties: false }
    : inner
}
