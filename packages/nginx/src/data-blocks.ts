/** Blocks whose statements are data: their first words name no directives, all but `include`, and none opens a block. */
export const dataBlocks: ReadonlySet<string> = new Set(['map', 'geo', 'types', 'split_clients', 'charset_map'])
