import { z } from 'zod'

/** A JSON Schema of the 2020-12 dialect, which OpenAPI 3.1 uses as it is. */
export type JsonSchema = { [key: string]: unknown }

/** Whether a schema describes what is sent or what is answered: defaults may be left out of the one and are filled in the other. */
export type Direction = 'input' | 'output'

/** The JSON Schema of a zod schema, made for readers; schemas with an id stand under `$defs` and are referred to. */
export function toJsonSchema(schema: z.ZodType, direction: Direction): JsonSchema {
  const { $schema: _dialect, ...raw } = z.toJSONSchema(schema, { io: direction, unrepresentable: 'any' })
  return readable(raw, direction) as JsonSchema
}

/** Applies `change` to every schema inside a schema, the inner ones first. */
export function mapSchemas(schema: unknown, change: (schema: JsonSchema) => JsonSchema): unknown {
  if (Array.isArray(schema)) return schema.map((item) => mapSchemas(item, change))
  if (typeof schema !== 'object' || schema === null) return schema
  const entries = Object.entries(schema).map(([key, value]) => {
    if (dataKeys.has(key)) return [key, value]
    if (mapKeys.has(key)) return [key, mapValues(value as JsonSchema, (member) => mapSchemas(member, change))]
    return [key, mapSchemas(value, change)]
  })
  return change(Object.fromEntries(entries) as JsonSchema)
}

// Under these keys stand values and not schemas, and under those schemas by name.
const dataKeys = new Set(['default', 'enum', 'const', 'examples', 'required', 'description'])
const mapKeys = new Set(['properties', '$defs'])

function readable(schema: JsonSchema, direction: Direction): unknown {
  return mapSchemas(schema, (inner) => {
    const { pattern, maximum, minimum, additionalProperties, anyOf, ...rest } = inner
    return simplified({
      ...rest,
      // A format says it better than the expression that checks it.
      ...(pattern === undefined || rest['format'] !== undefined ? {} : { pattern }),
      ...(minimum === undefined || minimum === Number.MIN_SAFE_INTEGER ? {} : { minimum }),
      ...(maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? {} : { maximum }),
      // Answers may gain fields, and clients have to bear that.
      ...(additionalProperties === undefined || (additionalProperties === false && direction === 'output') ? {} : { additionalProperties }),
      ...(anyOf === undefined ? {} : { anyOf }),
    })
  })
}

/** Writes "this or null" as a type where that says the same. */
function simplified(schema: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = schema
  if (!Array.isArray(anyOf) || anyOf.length !== 2 || (anyOf[1] as JsonSchema)['type'] !== 'null') return schema
  return nullable(anyOf[0] as JsonSchema, rest)
}

/** The schema of what a schema describes, or null. */
export function nullable(schema: JsonSchema, rest: JsonSchema = {}): JsonSchema {
  const { type } = schema
  const plain = typeof type === 'string' && !('enum' in schema) && !('const' in schema)
  return plain ? { ...schema, ...rest, type: [type, 'null'] } : { ...rest, anyOf: [schema, { type: 'null' }] }
}

function mapValues(object: JsonSchema, change: (value: unknown) => unknown): JsonSchema {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]))
}
