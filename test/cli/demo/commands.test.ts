import { describe, expect, it } from 'vitest';

import { proxyCommandLine, sendCommandLine, shellLine } from '../../../src/cli/demo/commands.ts';

describe("the demonstration's commands", () => {
  it('can be typed as they are printed', () => {
    expect(shellLine(proxyCommandLine(9001, 9000, { seed: 1, loss: 0.2, delay: '10ms 2ms' })))
      .toBe("failmask proxy -l 9001 -u 127.0.0.1:9000 --seed 1 --loss 20% --delay '10ms 2ms'");
    expect(shellLine(sendCommandLine([9001, 9002], "it's", '3s', 'fixed:64')))
      .toBe(`failmask send -C fixed:64 --user-timeout 3s 127.0.0.1:9001,127.0.0.1:9002 'it'\\''s'`);
  });
});
