import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)
const ip = (...args: string[]) => run('ip', args)

export interface Network extends AsyncDisposable {
  /** This machine's own address in it. */
  address: string
  hosts: { namespace: string; address: string }[]
}

/** Makes a network of hosts that each have an address of their own: network namespaces on a bridge. Needs root. */
export async function openNetwork(count: number): Promise<Network> {
  // Tests run beside each other, each in a network of its own.
  const number = process.pid % 200
  const [bridge, prefix] = [`nxm${number}`, `10.213.${number}`]
  const stack = new AsyncDisposableStack()
  try {
    await ip('link', 'add', bridge, 'type', 'bridge')
    stack.defer(async () => void (await ip('link', 'del', bridge)))
    await ip('addr', 'add', `${prefix}.1/24`, 'dev', bridge)
    await ip('link', 'set', bridge, 'up')
    const hosts: Network['hosts'] = []
    for (let index = 1; index <= count; index++) {
      const [namespace, outside, address] = [`${bridge}-${index}`, `${bridge}v${index}`, `${prefix}.${10 + index}`]
      await ip('netns', 'add', namespace)
      stack.defer(async () => void (await ip('netns', 'del', namespace)))
      await ip('link', 'add', outside, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace)
      await ip('link', 'set', outside, 'master', bridge, 'up')
      await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0')
      for (const device of ['eth0', 'lo']) await ip('-n', namespace, 'link', 'set', device, 'up')
      hosts.push({ namespace, address })
    }
    return { address: `${prefix}.1`, hosts, [Symbol.asyncDispose]: () => stack.disposeAsync() }
  } catch (error) {
    await stack.disposeAsync()
    throw error
  }
}
