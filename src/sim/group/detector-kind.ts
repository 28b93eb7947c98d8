/** How members of groups with views find out who is dead: by silence, or because the simulator tells them. */
export const DETECTORS = ['timeout', 'perfect'] as const;
export type DetectorKind = (typeof DETECTORS)[number];
