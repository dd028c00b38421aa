declare const brand: unique symbol

/** An offset in a source partition's log. */
export type SourceOffset = bigint & { readonly [brand]: 'SourceOffset' }

/** An offset in a target partition's log. */
export type TargetOffset = bigint & { readonly [brand]: 'TargetOffset' }

/** Brands an offset that is known to count in a source log. */
export const sourceOffset = (value: bigint): SourceOffset => value as SourceOffset

/** Brands an offset that is known to count in a target log. */
export const targetOffset = (value: bigint): TargetOffset => value as TargetOffset
