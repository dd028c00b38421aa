import { inspect } from 'node:util'

/** A password that never shows itself in logs, JSON or error messages; only `reveal` gives it out. */
export interface Concealed {
  reveal(): string
}

/** Wraps a password. */
export function conceal(value: string): Concealed {
  const hidden = () => '[secret]'
  return Object.defineProperties(
    { reveal: () => value },
    {
      toString: { value: hidden },
      toJSON: { value: hidden },
      [inspect.custom]: { value: hidden },
    },
  )
}
