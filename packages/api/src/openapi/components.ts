import type { z } from 'zod'
import { type Direction, type JsonSchema, mapSchemas, toJsonSchema } from './json-schema.ts'
import { patchSchema } from './patch-schema.ts'

/** Gathers the named schemas of a document. Everything is asked for first; the names are given when all of it is known. */
export interface Components {
  /** The schema of a request body; one of `patchOf` shows the fields that can be patched. */
  body(schema: z.ZodType): JsonSchema
  answer(schema: z.ZodType): JsonSchema
  /** The schemas by name, in order of the alphabet, and a function that puts the final names into anything made of the above. */
  finish(): { schemas: Record<string, JsonSchema>; named: (part: unknown) => unknown }
}

const prefix = '#/components/schemas/'

export function gatherComponents(): Components {
  const found: Record<Direction, Map<string, JsonSchema>> = { input: new Map(), output: new Map() }

  function gather(schema: z.ZodType, direction: Direction): JsonSchema {
    const { $defs = {}, ...root } = toJsonSchema(schema, direction)
    for (const [name, definition] of Object.entries($defs as Record<string, JsonSchema>)) {
      found[direction].set(name, marked(definition, direction) as JsonSchema)
    }
    return marked(root, direction) as JsonSchema
  }

  function patchBody(of: z.ZodType): JsonSchema {
    const { $defs, ...root } = toJsonSchema(of, 'input')
    const definitions = ($defs ?? {}) as Record<string, JsonSchema>
    const patch = patchSchema(root, (name) => definitions[name]!)
    const name = of.meta()?.id
    // Only what the patch still refers to is a schema of the document.
    for (const used of referencesOf(patch, definitions)) found.input.set(used, marked(definitions[used]!, 'input') as JsonSchema)
    if (name === undefined) return marked(patch, 'input') as JsonSchema
    const patchName = `${name.replace(/Input$/, '')}Patch`
    found.input.set(patchName, marked(patch, 'input') as JsonSchema)
    return { $ref: `input:${patchName}` }
  }

  return {
    body(schema) {
      const patched = schema.meta()?.['mergePatchOf']
      return patched === undefined ? gather(schema, 'input') : patchBody(patched as z.ZodType)
    },
    answer: (schema) => gather(schema, 'output'),
    finish() {
      const apart = namesApart(found)
      const finalName = (direction: Direction, name: string) => (direction === 'input' && apart.has(name) ? `${name}Input` : name)
      const named = (part: unknown) =>
        mapReferences(part, (reference) => {
          const [direction, name] = reference.split(':') as [Direction, string]
          return `${prefix}${finalName(direction, name)}`
        })
      const schemas = (['input', 'output'] as const).flatMap((direction) =>
        [...found[direction]].map(([name, schema]) => [finalName(direction, name), named(schema) as JsonSchema] as const),
      )
      schemas.sort(([a], [b]) => (a < b ? -1 : 1))
      return { schemas: Object.fromEntries(schemas), named }
    },
  }
}

/** Puts the direction into references, because one name may stand for two schemas until the end. */
function marked(schema: unknown, direction: Direction): unknown {
  return mapSchemas(schema, ({ $ref, ...rest }) =>
    typeof $ref === 'string' ? { ...rest, $ref: $ref.replace('#/$defs/', `${direction}:`) } : rest,
  )
}

function mapReferences(part: unknown, change: (reference: string) => string): unknown {
  return mapSchemas(part, (schema) => {
    const { $ref } = schema
    return typeof $ref === 'string' && /^(input|output):/.test($ref) ? { ...schema, $ref: change($ref) } : schema
  })
}

// The names that stand for different schemas in the two directions, or refer to such a name.
function namesApart(found: Record<Direction, Map<string, JsonSchema>>): Set<string> {
  const plain = (schema: JsonSchema | undefined) => JSON.stringify(schema).replaceAll(/"(input|output):/g, '"')
  const both = [...found.input.keys()].filter((name) => found.output.has(name))
  const apart = new Set(both.filter((name) => plain(found.input.get(name)) !== plain(found.output.get(name))))
  for (let before = -1; before !== apart.size; ) {
    before = apart.size
    for (const name of both) {
      const text = JSON.stringify(found.input.get(name))
      if ([...apart].some((other) => text.includes(`"input:${other}"`))) apart.add(name)
    }
  }
  return apart
}

function referencesOf(schema: JsonSchema, definitions: Record<string, JsonSchema>): Set<string> {
  const used = new Set<string>()
  const visit = (part: JsonSchema) =>
    mapSchemas(part, (inner) => {
      const { $ref } = inner
      const name = typeof $ref === 'string' ? $ref.slice('#/$defs/'.length) : undefined
      if (name !== undefined && !used.has(name)) {
        used.add(name)
        visit(definitions[name]!)
      }
      return inner
    })
  visit(schema)
  return used
}
