/** The cache of an nginx whose settings say nothing of it. */
export const usualCache = { max_size: '1g', inactive: 600 } as const
