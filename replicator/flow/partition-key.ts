/** What partitions are kept by. */
export const partitionKey = (topic: string, partition: number): string => `${topic}/${partition}`
