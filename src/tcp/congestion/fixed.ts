import type { CongestionController, ControllerOptions } from './controller.ts';

export const DEFAULT_FIXED_SEGMENTS = 256;
export const MAX_FIXED_SEGMENTS = 65_536;

/**
 * A window that never moves: no congestion control at all. For demonstrations on links whose loss is not congestion;
 * on a shared network it is a bad neighbour.
 */
class Fixed implements CongestionController {
  readonly name = 'fixed';
  readonly cwnd: number;
  readonly ssthresh = Infinity;
  readonly pacingRate = Infinity;

  constructor(segments: number, options: ControllerOptions) {
    this.cwnd = segments * options.smssBytes;
  }

  onSent(): void {}
  onAck(): void {}
  onLoss(): void {}
  onTimeout(): void {}
  onUndo(): void {}
  onRecoveryExit(): void {}
  onIdle(): void {}
}

/** `fixed` or `fixed:SEGMENTS`, SEGMENTS in [1, 65,536]. */
export function createFixed(options: ControllerOptions, argument: string | undefined): CongestionController {
  const segments = argument === undefined ? DEFAULT_FIXED_SEGMENTS : Number(argument);
  if (!Number.isInteger(segments) || segments < 1 || segments > MAX_FIXED_SEGMENTS) {
    throw new RangeError(`fixed:SEGMENTS needs an integer in [1, ${MAX_FIXED_SEGMENTS}], not '${argument}'`);
  }
  return new Fixed(segments, options);
}
