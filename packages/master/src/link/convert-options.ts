import { fromJson, toJson } from '@bufbuild/protobuf'
import { type OptionsByPlace, optionsIn, optionsOf } from '@nxmesh/model/options'
import { type Options, OptionsSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'

type Json = Parameters<typeof fromJson>[1]

/** The typed options of an object as a member of its message; none where it has none. Their names and values are the same on the wire. */
export function toOptions<P extends keyof OptionsByPlace>(place: P, object: OptionsByPlace[P]): { options?: Options } {
  const found = optionsIn(place, object)
  return found === undefined ? {} : { options: fromJson(OptionsSchema, found as Json) }
}

/** The inverse of toOptions. */
export function fromOptions<P extends keyof OptionsByPlace>(place: P, options: Options | undefined): OptionsByPlace[P] {
  if (!options) return {}
  return optionsOf[place].parse(toJson(OptionsSchema, options, { useProtoFieldName: true, alwaysEmitImplicit: true })) as OptionsByPlace[P]
}
