import { ApiError } from '@nxmesh/api/errors'

/** A resource with the number that its next change must find, for ETag and If-Match. */
export interface Tagged<T> {
  body: T
  revision: number
  /** Names what else the answer shows and a change need not find as it was: an agent's health, for one. */
  variant?: string
}

/** The entity tag of a resource (RFC 9110 section 8.8.3). */
export function etag({ revision, variant }: Pick<Tagged<unknown>, 'revision' | 'variant'>): string {
  return variant === undefined ? `"${revision}"` : `"${revision}-${variant}"`
}

/** Holds If-Match against the present revision; throws PRECONDITION_FAILED. Source: RFC 9110 section 13.1.1. */
export function requireMatch(ifMatch: string | undefined, revision: number): void {
  if (ifMatch === undefined || ifMatch.trim() === '*') return
  // A proxy that compresses makes tags weak; a revision is exact all the same.
  if (tagsIn(ifMatch).some((tag) => tag === `${revision}` || tag.startsWith(`${revision}-`))) return
  throw new ApiError('PRECONDITION_FAILED', `it was changed meanwhile: its ETag is now "${revision}"`)
}

/** Whether If-None-Match names the answer, so that it need not be sent again. Source: RFC 9110 section 13.1.2. */
export function isKnown(ifNoneMatch: string | undefined, tag: string): boolean {
  if (ifNoneMatch === undefined) return false
  return ifNoneMatch.trim() === '*' || tagsIn(ifNoneMatch).some((known) => `"${known}"` === tag)
}

function tagsIn(header: string): string[] {
  return [...header.matchAll(/(?:W\/)?"([^"]*)"/g)].map((match) => match[1]!)
}
