import { toJson } from '@bufbuild/protobuf'
import { type OptionsByPlace, optionsOf } from '@nxmesh/model/options'
import { type Options, OptionsSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

/** The typed options that a message spells out, as members of the object they belong to. Throws for a value that this agent does not know. */
export function optionsOn<P extends keyof OptionsByPlace>(place: P, options: Options | undefined): OptionsByPlace[P] {
  if (!options) return {}
  return optionsOf[place].parse(toJson(OptionsSchema, options, { useProtoFieldName: true, alwaysEmitImplicit: true })) as OptionsByPlace[P]
}
