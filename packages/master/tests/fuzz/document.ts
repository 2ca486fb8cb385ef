/** The parts of an OpenAPI document that the fuzzer reads. */
export interface Document {
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Schema>
    responses: Record<string, Response>
    parameters: Record<string, Parameter>
    headers: Record<string, Header>
  }
}

export interface Operation {
  operationId: string
  security?: unknown[]
  parameters?: (Parameter | Reference)[]
  requestBody?: { required?: boolean; content: Record<string, Media> }
  responses: Record<string, Response | Reference>
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header'
  required?: boolean
  schema: Schema
  example?: unknown
}

export interface Response {
  headers?: Record<string, Header | Reference>
  content?: Record<string, Media>
}

export interface Header {
  required?: boolean
  schema: Schema
}

interface Media {
  schema?: Schema
  example?: unknown
}

interface Reference {
  $ref: string
}

export type Schema = Record<string, unknown>

/** Follows a reference inside the document; anything else is itself. */
export function resolve<T extends object>(document: Document, part: T | Reference): T {
  if (!('$ref' in part)) return part
  const found = (part.$ref as string)
    .slice(2)
    .split('/')
    .reduce<unknown>((at, key) => (at as Record<string, unknown>)[key.replaceAll('~1', '/')], document)
  return resolve(document, found as T)
}
