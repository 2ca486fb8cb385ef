/** The value below which `share` of the samples lie. */
export function percentile(samples: number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** Median and 99th percentile of durations, in milliseconds, as a person reads them. */
export function spread(samples: number[]): string {
  const show = (share: number) => percentile(samples, share).toFixed(0)
  return `p50 ${show(0.5)} ms, p99 ${show(0.99)} ms, max ${Math.max(...samples).toFixed(0)} ms (${samples.length} samples)`
}

/** A figure with as many digits as say something. */
export function rounded(value: number): string {
  if (value >= 10) return value.toFixed(0)
  return value.toFixed(value < 1 ? 3 : 2)
}

/** Prints a figure beside the limit it is held to; beyond it, the program ends non-zero. */
export function verdict(what: string, value: number, limit: number, unit: string): void {
  const isKept = value <= limit
  if (!isKept) process.exitCode = 1
  console.log(`  ${what}: ${rounded(value)} ${unit}, limit ${limit} ${unit}: ${isKept ? 'kept' : 'MISSED'}`)
}
