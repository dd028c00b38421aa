/**
 * Placeholder for the table of the protocol's errors: see the control-plane work.
 */
export class KafkaError extends Error {}
