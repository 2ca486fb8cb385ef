import { type JsonSchema, nullable } from './json-schema.ts'

/**
 * The schema of a merge patch for what `schema` describes as input: nothing is required, what has a default or may be left
 * out can be cleared with null, objects are patched member by member, and all else is replaced (RFC 7396).
 */
export function patchSchema(schema: JsonSchema, resolve: (name: string) => JsonSchema): JsonSchema {
  const { default: _default, ...rest } = schema
  const reference = rest['$ref'] as string | undefined
  if (reference !== undefined) {
    const patched = patchSchema(resolve(reference.slice('#/$defs/'.length)), resolve)
    // What is replaced as a whole keeps its name.
    return isObject(patched) ? patched : rest
  }
  for (const key of ['anyOf', 'oneOf']) {
    const variants = rest[key]
    if (!Array.isArray(variants)) continue
    const { [key]: _variants, ...others } = rest
    // A part of a variant may be a part of several.
    return { ...others, anyOf: variants.map((variant) => patchSchema(variant as JsonSchema, resolve)) }
  }
  if (!isObject(rest)) return rest
  const { required, properties, additionalProperties, ...others } = rest
  const needed = new Set(required as string[] | undefined)
  const patched = Object.entries((properties ?? {}) as Record<string, JsonSchema>).map(([name, member]) => {
    const part = patchSchema(member, resolve)
    return [name, needed.has(name) || allowsNull(part) ? part : nullable(part)]
  })
  return {
    ...others,
    ...(properties === undefined ? {} : { properties: Object.fromEntries(patched) }),
    ...(typeof additionalProperties === 'object' && additionalProperties !== null
      ? { additionalProperties: nullable(additionalProperties as JsonSchema) }
      : additionalProperties === undefined
        ? {}
        : { additionalProperties }),
  }
}

function isObject(schema: JsonSchema): boolean {
  return schema['type'] === 'object' || 'anyOf' in schema || 'oneOf' in schema
}

function allowsNull(schema: JsonSchema): boolean {
  const { type, anyOf } = schema
  if (Array.isArray(anyOf)) return anyOf.some((variant) => allowsNull(variant as JsonSchema))
  return type === 'null' || (Array.isArray(type) && type.includes('null'))
}
