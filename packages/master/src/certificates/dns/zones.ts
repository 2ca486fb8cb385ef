/** What may be the zone of a name at a provider, the longest first: a name and those above it but for the topmost. */
export function possibleZones(name: string): string[] {
  const labels = name.split('.')
  return labels.slice(0, -1).map((_, index) => labels.slice(index).join('.'))
}
