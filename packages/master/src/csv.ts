/**
 * A record of a CSV file (RFC 4180). A text that a spreadsheet would take for a formula gets an apostrophe before it: names in
 * the log may come from strangers.
 */
export function csvLine(cells: (string | null)[]): string {
  return `${cells.map((cell) => (cell === null ? '' : quoted(cell))).join(',')}\r\n`
}

function quoted(cell: string): string {
  const harmless = /^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
