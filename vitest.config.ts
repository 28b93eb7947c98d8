import { availableParallelism } from 'node:os';

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Real processes and long simulations; nothing waits for time to pass, so a limit only ends what hangs.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Tests of real processes wait more than they compute: two at a time also where vitest would take one.
    maxWorkers: Math.max(2, availableParallelism() - 1),
  },
});
