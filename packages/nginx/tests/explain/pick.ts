import fc from 'fast-check'

/** One of these. */
export const pick = <T>(...all: readonly T[]) => fc.constantFrom(...all)

/** The text in one case of so many. */
export const maybe = (text: fc.Arbitrary<string>, of = 3) =>
  fc.oneof({ weight: of - 1, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text })
