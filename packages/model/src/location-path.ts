/** How a location is matched: nginx's modifiers, or none for a prefix. */
type LocationModifier = '' | '=' | '^~' | '~' | '~*' | '@'

/** Splits a location's path into nginx's modifier and the pattern after it. Source: nginx core module, "location". */
export function splitPath(path: string): { modifier: LocationModifier; pattern: string } {
  // Nearly all do.
  if (path.startsWith('/')) return { modifier: '', pattern: path }
  const parts = /^(=|\^~|~\*|~)\s*(.*)$/s.exec(path)
  if (parts) return { modifier: parts[1] as LocationModifier, pattern: parts[2]! }
  if (path.startsWith('@')) return { modifier: '@', pattern: path.slice(1) }
  return { modifier: '', pattern: path }
}
