import type { LocationOptions, ServerOptions, SettingsOptions } from '@nxmesh/model/options'

type Samples<Options> = { [Name in keyof Required<Options>]: NonNullable<Options[Name]>[] }

const client = [{}, { max_body_size: '0' }, { max_body_size: '20m', body_timeout: 30, send_timeout: 5, keepalive_timeout: 0 }]
const proxy = [
  {},
  { connect_timeout: 3, send_timeout: 30, read_timeout: 3600, request_buffering: false },
  { buffering: true, buffers: { number: 16, size: '32k' } },
]

/** Values of every typed option, with all of their members between them: the type asks for those of a new option. */
export const optionSamples: { settings: Samples<SettingsOptions>; server: Samples<ServerOptions>; location: Samples<LocationOptions> } = {
  settings: { client: [...client, { header_timeout: 20 }], proxy },
  server: { client: [...client, { header_timeout: 20 }], proxy },
  location: { client, proxy },
}
