// What a query is in the table.

const codes = { nxdomain: 'nx', nodata: 'nd', servfail: 'sf', refused: 'rf', error: 'er', bogus: 'bg', referral: 'rl', truncated: 'tc', cname: 'cn' };
const kind = (verdict) => answers.includes(verdict) ? 'good' : denials.includes(verdict) ? 'denied' : 'failed';

// cell is what an upstream had to do with a query.
function cell(r, leg) {
  if (leg.winner) return '*';
  if (leg.seconds === null) return leg.unasked ? '-' : leg.down ? '\u2193' : '\u00b7';
  let text = codes[leg.verdict] || '?';
  if (leg.verdict === 'good') text = r.differ.includes(leg.upstream) ? '\u2260' : '=';
  else if (!leg.rcode && !leg.late) text = 'er';
  return (leg.late ? '~' : '') + text;
}

// matters says whether a query is marked: a failure, a denial that some had no opinion of, one that was wrong.
function matters(row) {
  const r = row.race;
  if (answers.includes(r.verdict)) return false;
  if (r.verdict === 'nodata' || r.changed === 'proven') return row.wrong;
  if (r.verdict === 'nxdomain') return row.wrong || !!r.changed || !r.conclusive && !r.final && !r.filtered;
  return true;
}

function code(r) {
  if (r.verdict === 'nodata' || r.changed === 'untrusted' || r.changed === 'proven') return 'NODATA';
  return r.verdict === 'truncated' ? 'TC=1 without an answer' : r.rcode;
}

// instead are why a client got something else than an upstream's reply.
const instead = {
  special: "dnsmus's own", proven: 'the name exists', away: 'who knows the zone is away', forged: 'replies may be forged', untrusted: 'private_from',
  alias: 'the end of an alias was not found', stale: 'kept from before', refused: 'max_concurrent', none: 'nobody replied',
};

// reply is what the client got. Words say more of why it is no upstream's reply.
function reply(r, words = {}) {
  let text = code(r);
  if (r.data !== null && (r.verdict === 'good' || r.changed === 'stale')) text = r.data;
  if (r.changed) text += ` (${Object.hasOwn(words, r.changed) ? words[r.changed] : r.changed})`;
  else if (r.verdict !== 'good' && r.ttl !== null) text += ` ${r.ttl}s`;
  return text + (r.cached ? ' (kept)' : '');
}

function remark(row, letter) {
  const r = row.race, parts = [];
  if (row.wrong) parts.push('late answer: denial was wrong');
  if (r.differ.length) parts.push('answers differ');
  if (r.filtered) parts.push("a filter's reply");
  if (matters(row) && r.missing.length) parts.push('no opinion: ' + r.missing.map((m) => letter(m.upstream)).join(' '));
  if (row.times > 1) parts.push(row.times + ' times');
  if (r.clients > 1) parts.push(r.clients + ' clients');
  return parts.join('; ');
}

const nameOf = (r) => r.name.length > 1 ? r.name.replace(/\.$/, '') : r.name;
