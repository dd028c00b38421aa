import { type ResumeReport, type ResumeRequest, resumeFlow } from '../flow/resume/resume-flow.ts'
import { type CommandFlowOptions, withFlow } from './command-flow.ts'

/**
 * Connects to a flow's clusters and decides where stopped partitions go on.
 * @throws ResumeRefusedError, KafkaError
 */
export async function resume(
  options: CommandFlowOptions,
  request: ResumeRequest,
  signal: AbortSignal,
): Promise<ResumeReport> {
  return await withFlow(options, (flow) => resumeFlow(flow, request, signal))
}
