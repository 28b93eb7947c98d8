import type { Random } from '../core/random.ts';
import { defaultProfile, type LinkProfile } from '../link/profile.ts';
import type { Theme } from './draw-faults.ts';

export interface ProfileDraw {
  readonly theme: Theme;
  /** Both ends insist on the CRC: nothing else would see a flipped bit. */
  readonly mayCorrupt: boolean;
  /** Without SACK or timestamps recovery is slow. */
  readonly isPlain: boolean;
}

/** Zero delay would let a whole transfer happen at one instant. */
const LEAST_DELAY_MS = 0.1;
const MAX_DELAY_MS = 120;

/** One direction of a link: in most worlds several faults at once, in some none. */
export function drawProfile(random: Random, { theme, mayCorrupt, isPlain }: ProfileDraw): LinkProfile {
  // Every purpose draws from its own stream, so that one choice does not shift the others.
  const delayMs = LEAST_DELAY_MS * Math.pow(MAX_DELAY_MS / LEAST_DELAY_MS, random.fork('delay').unit());
  const jitter = random.fork('jitter');
  const jitterMs = jitter.chance(0.35) ? delayMs * 0.5 * jitter.unit() : 0;
  const duplicate = random.fork('duplicate');
  const corrupt = random.fork('corrupt');
  const reorder = random.fork('reorder');
  const rate = random.fork('rate');
  return {
    ...defaultProfile,
    loss: drawLoss(random.fork('loss'), isPlain ? Math.min(0.1, theme.maxLoss) : theme.maxLoss),
    delay: { delayMs, jitterMs, correlation: 0, distribution: jitter.chance(0.5) ? 'uniform' : 'normal' },
    duplicate: { probability: duplicate.chance(0.25) ? 0.1 * duplicate.unit() : 0, correlation: 0 },
    corrupt: { probability: mayCorrupt && corrupt.chance(0.4) ? Math.min(0.05, theme.maxLoss) * corrupt.unit() : 0, correlation: 0 },
    reorder: { probability: reorder.chance(0.2) ? 0.3 * reorder.unit() : 0, correlation: 0, gap: 1 + reorder.below(5) },
    rateBitsPerSecond: rate.chance(0.25) ? 1e6 * Math.round(2 + 48 * rate.unit()) : Infinity,
    limit: rate.chance(0.2) ? 60 + rate.below(100) : defaultProfile.limit,
  };
}

function drawLoss(random: Random, maxLoss: number): LinkProfile['loss'] {
  const kind = random.unit();
  if (kind < 0.25) return defaultProfile.loss;
  if (kind < 0.6) return { model: 'random', probability: Math.min(maxLoss, 0.05 * random.unit()), correlation: 0 };
  if (kind < 0.85) return { model: 'random', probability: Math.min(maxLoss, 0.05 + 0.15 * random.unit()), correlation: 0 };
  // A burst is counted in datagrams, not in time: on a quiet line a long one could outlast any timeout, a short one short ones.
  if (kind < 0.95 || maxLoss < 0.05) return { model: 'random', probability: Math.min(maxLoss, 0.2 + 0.2 * random.unit()), correlation: 0 };
  return { model: 'gemodel', toBad: Math.min(0.02, maxLoss), toGood: 0.4 + 0.3 * random.unit(), lossInBad: 0.9, lossInGood: 0 };
}
