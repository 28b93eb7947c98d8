import { formatDuration } from '../../core/units.ts';
import type { BalancerReport } from './balancer-report.ts';

/** What a balancer shows of its group: rows for a table, a small page for browsers, JSON for programs. Pure functions of its report. */
export interface HealthTable {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

const HEADER = ['member', 'id', 'state', 'for', 'role', 'term', 'commit', 'applied', 'lag', 'digest', 'rtt', 'outstanding', 'problem'];
const NONE = '–';
const DIGEST_CHARACTERS = 8;

export function healthTable(report: BalancerReport): HealthTable {
  return {
    title: healthTitle(report),
    header: HEADER,
    rows: report.members.map((member) => [
      member.name, member.id ?? NONE, member.isConnected ? member.state : `${member.state}, no connection`, formatDuration(member.forMs), member.role ?? NONE,
      cell(member.term), cell(member.commitIndex), cell(member.appliedIndex), cell(member.lag), member.digest?.slice(0, DIGEST_CHARACTERS) ?? NONE,
      member.rttMs === undefined ? NONE : formatDuration(member.rttMs), String(member.outstanding), member.problem ?? '',
    ]),
  };
}

function healthTitle({ name, mode, leader, health, inFlight, waiting }: BalancerReport): string {
  const leading = leader === undefined ? '' : `, leader ${leader}`;
  return `${[`${name}: ${mode}${leading}`, health.summary, ...health.differences].join('; ')}; ${inFlight} in flight, ${waiting} waiting`;
}

function cell(value: number | undefined): string {
  return value === undefined ? NONE : String(value);
}

/** A page of its own that loads itself again; nothing else is loaded. */
export function healthHtml(report: BalancerReport, refreshSeconds = 2): string {
  const { title, header, rows } = healthTable(report);
  const row = (tag: 'th' | 'td', cells: readonly string[]): string => `<tr>${cells.map((text) => `<${tag}>${escapeHtml(text)}</${tag}>`).join('')}</tr>`;
  return [
    '<!doctype html>',
    `<html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="${refreshSeconds}"><title>${escapeHtml(report.name)}</title>`,
    '<style>body{font:14px monospace;margin:2em}table{border-collapse:collapse}th,td{padding:.2em .8em;text-align:left;border-bottom:1px solid #ccc}</style></head>',
    `<body><p>${escapeHtml(title)}</p>`,
    `<table><thead>${row('th', header)}</thead><tbody>${rows.map((cells) => row('td', cells)).join('')}</tbody></table>`,
    '<p><a href="/status">JSON</a></p></body></html>',
    '',
  ].join('\n');
}

/** `pid`: of the process that started the balancer, and ends the group when it ends. */
export function healthJson(report: BalancerReport & { readonly clusterId?: string; readonly pid?: number }): string {
  return `${JSON.stringify(report)}\n`;
}

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}
