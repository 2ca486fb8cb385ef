import { type Message, toJson } from '@bufbuild/protobuf'
import { type OptionsByPlace, optionsOf } from '@nxmesh/model/options'
import { type Options, OptionsSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/**
 * The typed options that a message spells out, as members of the object they belong to. Throws for a field or value that this agent does not
 * know: to serve on without an option may be to let in whom it keeps out.
 */
export function optionsOn<P extends keyof OptionsByPlace>(place: P, options: Options | undefined): OptionsByPlace[P] {
  if (!options) return {}
  refuseUnknown(options, `a ${place}`)
  const read = optionsOf[place].safeParse(toJson(OptionsSchema, options, { useProtoFieldName: true, alwaysEmitImplicit: true }))
  if (read.success) return read.data as OptionsByPlace[P]
  const fields = read.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
  throw new Error(`options of a ${place} are not known to this agent: ${fields.join('; ')}`)
}

/** Throws where a message, or one within it, has a field that this agent does not know. */
export function refuseUnknown(message: Message, what: string): void {
  if (holdsUnknown(message)) throw new Error(`an option of ${what} is not known to this agent, which is older than its master`)
}

function holdsUnknown(message: Message): boolean {
  if (message.$unknown?.length) return true
  return Object.values(message)
    .flat()
    .some((member) => isMessage(member) && holdsUnknown(member))
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null && '$typeName' in value
}
