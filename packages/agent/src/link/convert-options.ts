import { type Message, toJson } from '@bufbuild/protobuf'
import { optionShapes } from '@nxmesh/model/gen/option-shapes'
import type { OptionsByPlace } from '@nxmesh/model/options'
import { misfits } from '@nxmesh/model/shape'
import { type Options, OptionsSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/**
 * The typed options that a message spells out, as members of the object they belong to. Throws for a field or value that this agent does not
 * know: to serve on without an option may be to let in whom it keeps out.
 */
export function optionsOn<P extends keyof OptionsByPlace>(place: P, options: Options | undefined): OptionsByPlace[P] {
  if (!options) return {}
  refuseUnknown(options, `a ${place}`)
  const read: unknown = toJson(OptionsSchema, options, { useProtoFieldName: true, alwaysEmitImplicit: true })
  const strange = misfits(optionShapes[place], read)
  if (strange.length > 0) throw new Error(`options of a ${place} are not known to this agent: ${strange.join(', ')}`)
  return read as OptionsByPlace[P]
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
