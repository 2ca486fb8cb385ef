const most = 256

/**
 * Values for `in (…)`, some at a time, each list filled up to a power of two with its last value: of statements that differ in
 * nothing but their number of values there are few.
 */
export function* inLists(values: Iterable<string>): Generator<[string, ...string[]]> {
  const all = [...new Set(values)]
  for (let from = 0; from < all.length; from += most) {
    const list = all.slice(from, from + most) as [string, ...string[]]
    const size = 2 ** Math.ceil(Math.log2(list.length))
    while (list.length < size) list.push(list[0])
    yield list
  }
}
