import type { Paging } from '@nxmesh/api/route'

/** The part of a list that a page shows, for a list that is in memory as a whole. */
export function pageOf<T>(items: T[], { page, per_page }: Paging) {
  return { data: items.slice((page - 1) * per_page, page * per_page), meta: { page, per_page, total: items.length } }
}

/** `limit` and `offset` of a page. */
export function rangeOf({ page, per_page }: Paging) {
  return { limit: per_page, offset: (page - 1) * per_page }
}
