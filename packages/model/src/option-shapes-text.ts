import { z } from 'zod'
import { optionsOf } from './options.ts'
import type { Shape } from './shape.ts'

type JsonSchema = z.core.JSONSchema.BaseSchema
type Definitions = Readonly<Record<string, JsonSchema>>

/** The source of gen/option-shapes.ts: what the schemas of the options say, except what only functions of theirs know. */
export function optionShapesText(): string {
  const places = Object.entries(optionsOf).map(([place, schema]) => {
    const { properties = {}, $defs = {} } = z.toJSONSchema(schema)
    const members = Object.entries(properties).map(
      ([name, member]) => `      ${name}: ${sourceOf(shapeOf(member as JsonSchema, $defs))},\n`,
    )
    return `  ${place}: {\n    type: 'object',\n    members: {\n${members.join('')}    },\n    required: [],\n  },\n`
  })
  return `// Made by npm run options. Do not edit.
import type { OptionsByPlace } from ${source('options')}
import type { Shape } from ${source('shape')}

export const optionShapes: Record<keyof OptionsByPlace, Shape> = {
${places.join('')}}
`
}

// Seen from the folder of what is generated.
function source(name: string): string {
  return `'../${name}.ts'`
}

function shapeOf({ $ref, ...schema }: JsonSchema, definitions: Definitions): Shape {
  if ($ref !== undefined) return shapeOf(definitions[$ref.replace('#/$defs/', '')]!, definitions)
  const inner = (member: unknown) => shapeOf(member as JsonSchema, definitions)
  if (schema.anyOf) return { type: 'any of', shapes: schema.anyOf.map(inner) }
  if (schema.enum) return { type: 'one of', values: schema.enum }
  if (schema.const !== undefined) return { type: 'one of', values: [schema.const] }
  switch (schema.type) {
    case 'object': {
      const members = Object.entries(schema.properties ?? {}).map(([name, member]) => [name, inner(member)] as const)
      return { type: 'object', members: Object.fromEntries(members), required: schema.required ?? [] }
    }
    case 'array':
      return { type: 'list', of: inner(schema.items), min: schema.minItems ?? 0, max: schema.maxItems ?? Number.POSITIVE_INFINITY }
    case 'string': {
      const patterns = [schema, ...(schema.allOf ?? [])].flatMap(({ pattern }) => (pattern === undefined ? [] : [new RegExp(pattern, 'u')]))
      return { type: 'text', patterns, min: schema.minLength ?? 0, max: schema.maxLength ?? Number.POSITIVE_INFINITY }
    }
    case 'integer':
      return { type: 'integer', min: schema.minimum!, max: schema.maximum! }
    case 'boolean':
      return { type: 'boolean' }
    default:
      throw new Error(`a shape cannot say what an option's schema says: ${JSON.stringify(schema)}`)
  }
}

function sourceOf(value: unknown): string {
  if (value instanceof RegExp) return `${value}`
  if (Array.isArray(value)) return `[${value.map(sourceOf).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{ ${Object.entries(value)
      .map(([name, member]) => `${name}: ${sourceOf(member)}`)
      .join(', ')} }`
  return typeof value === 'number' ? `${value}` : JSON.stringify(value)
}
