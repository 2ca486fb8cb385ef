import { splitPath } from '@nxmesh/model/location-path'

/**
 * The pattern of a location as nginx compares it. Prefixes and exact paths are compared with the decoded URI, so `%20` in them
 * becomes a space; a regular expression or a name stays as it is. Source: nginx core module, "location".
 */
export function locationPattern(path: string): string {
  const { modifier, pattern } = splitPath(path)
  switch (modifier) {
    case '~':
    case '~*':
      return pattern
    case '@':
      return `@${pattern}`
    case '':
    case '=':
    case '^~':
      return decodePath(pattern)
    default:
      return modifier satisfies never
  }
}

/** Two locations with the same key cannot stand in one server: nginx takes `/a` and `^~ /a` for the same. Regular expressions may repeat. */
export function locationKey(path: string): string {
  const { modifier } = splitPath(path)
  const pattern = locationPattern(path)
  return modifier === '' || modifier === '^~' || modifier === '@' ? pattern : `${modifier} ${pattern}`
}

function decodePath(path: string): string {
  if (!path.includes('%')) return path
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
