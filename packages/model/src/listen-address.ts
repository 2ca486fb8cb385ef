/** The one spelling of an address: nginx compares their bytes. */
export function canonicalAddress(text: string): string {
  return text.includes(':') && URL.canParse(`http://[${text}]`) ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text
}

/** What stands for all addresses where addresses are compared. */
export const everyAddress = '*'

/** Where a host listens, in the one spelling. nginx keeps what listens on all addresses apart from what listens on one. */
export function addressesOf({ listen_addresses }: { listen_addresses?: readonly string[] | undefined }): string[] {
  return listen_addresses?.map(canonicalAddress) ?? [everyAddress]
}
