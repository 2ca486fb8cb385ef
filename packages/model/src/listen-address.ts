/** The one spelling of an address: nginx compares their bytes. */
export function canonicalAddress(text: string): string {
  return text.includes(':') && URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text
}

/** Whether a text is an IPv4 or IPv6 address, without brackets. */
export function isIpAddress(text: string): boolean {
  if (text.includes(':')) return URL.canParse(`http://[${text}]`)
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255)
}

/** What stands for all addresses where addresses are compared. */
export const everyAddress = '*'

/** Where a host listens, in the one spelling. nginx keeps what listens on all addresses apart from what listens on one. */
export function addressesOf({ listen_addresses }: { listen_addresses?: readonly string[] | undefined }): string[] {
  return listen_addresses?.map(canonicalAddress) ?? [everyAddress]
}

/** Whether something that is listened on is a unix socket, `unix:` and its path, which has no port. */
export function isUnixSocket(address: string): boolean {
  return address.startsWith('unix:')
}

/** The port whose sockets a host shares with others; 0 where it listens on unix sockets, which it shares whatever its port is. */
export function portOf({
  listen_port,
  listen_addresses,
}: {
  listen_port: number
  listen_addresses?: readonly string[] | undefined
}): number {
  return listen_addresses?.some(isUnixSocket) ? 0 : listen_port
}
