import { hostname } from 'node:os'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { capability } from '@nxmesh/proto/capability'
import type { RegistrationRequestSchema } from '@nxmesh/proto/gen/nxmesh/agent/v1/agent_pb'
import { bootId, capabilitiesOf, machineId } from '../machine.ts'
import type { Credentials, Trust } from '../trust.ts'
import { version } from '../version.ts'
import { wireModes } from './messages.ts'
import type { LinkParts } from './parts.ts'

/** What the agent says about itself when it joins. */
export async function registrationOf(
  { applied, facts, options, paths }: LinkParts,
  trust: Trust,
  { client, token }: Credentials,
): Promise<MessageInitShape<typeof RegistrationRequestSchema>> {
  const { good, rejected } = applied()
  const isOurs = good !== null && good.version > 0
  return {
    token,
    hostname: hostname(),
    ipAddress: await localAddress(parseAddress(options.master)),
    version,
    capabilities: await facts().then(capabilitiesOf, () => []),
    labels: options.labels,
    deploymentMode: wireModes[options.deploymentMode],
    capability,
    machineId: await machineId(paths),
    bootId: await bootId(),
    ...(client ? {} : { certificateSigningRequest: await trust.request() }),
    configVersion: BigInt(isOurs ? good.version : 0),
    configChecksum: isOurs ? good.digest : '',
    // What failed for a reason of this machine is tried again by itself, so it is not given up.
    rejectedChecksum: rejected?.cause === 'config' ? rejected.digest : '',
  }
}

/** `host:port`, `[address]:port`. */
export function parseAddress(address: string): { host: string; port: number } {
  const parts = /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(address)
  return { host: parts?.[1] ?? parts?.[2] ?? address, port: Number(parts?.[3] ?? 8443) }
}

/** The address this machine would reach the master from. A datagram socket learns it without sending anything. */
async function localAddress({ host, port }: { host: string; port: number }): Promise<string> {
  const [{ createSocket }, { lookup }] = await Promise.all([import('node:dgram'), import('node:dns/promises')])
  try {
    const { address, family } = await lookup(host)
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4')
    try {
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject)
        socket.connect(port, address, resolve)
      })
      return socket.address().address
    } finally {
      socket.close()
    }
  } catch {
    return ''
  }
}
