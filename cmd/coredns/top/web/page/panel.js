// What is shown of one query, of zones, and as help.

// show shows a query, or with null nothing, in the panel.
function show(row) {
  chosen = row;
  open(row ? 'race' : '', row && `${nameOf(row.race)} ${row.race.type}`);
  if (row) explain(row);
}

function open(what, title) {
  const back = !what && of('panel').contains(document.activeElement);
  pane = what;
  if (what !== 'race') chosen = null;
  of('panel').hidden = !what;
  set(of('panel-title'), title || '');
  of('panel-body').replaceChildren();
  of('panel-body').dataset.version = '';
  changed = true;
  draw();
  if (back) (document.querySelector('#races tr[tabindex="0"]') || document.body).focus();
}

// explain fetches why a query ended as it did, if the server remembers that.
async function explain(row) {
  if (row.race.why || answers.includes(row.race.verdict) && row.race.seconds < 0.5) return;
  try {
    const [first] = await all('history', { name: row.race.name, type: row.race.type });
    if (!first) return;
    row.race.why = first[0].why;
    row.changed = (row.changed || 0) + 1;
    changed = true;
  } catch { /* the stream says what is wrong */ }
}

function drawRace() {
  const row = chosen, r = row.race, body = of('panel-body');
  const version = `${row.folded} ${row.wrong} ${row.changed || 0}`;
  if (body.dataset.version === version) return;
  body.dataset.version = version;
  const parts = [];
  let text = `At ${clock(row.at)} clients got ${reply(r, instead)}`;
  if (r.cached) text += `, from dnsmus's own cache; no upstream was asked.` + (r.upstream ? ` ${r.upstream} had given it.` : '');
  else text += ` after ${span(r.seconds)}` + (r.upstream ? `, from ${r.upstream}.` : '.');
  if (r.until) text += ` They may keep it until ${clock(Date.parse(r.until))}.`;
  if (r.kept_until) text += ` dnsmus keeps it until ${clock(Date.parse(r.kept_until))}.`;
  parts.push(text);
  if (row.wrong) parts.push('The denial was wrong: a good answer came late.');
  if (r.why && r.why.text) parts.push('Why: ' + r.why.text, r.why.until, r.why.do);
  if (r.differ.length) parts.push('The answers of these differ: ' + r.differ.join(', ') + '.');
  if (r.missing.length) parts.push('No opinion: ' + r.missing.map((m) => `${m.upstream} (${m.why})`).join(', ') + '.');
  if (row.folded) parts.push('Denied just before, by all and in this name\'s search list: ' + row.names.join(', ') + (row.folded > row.names.length ? ` and ${row.folded - row.names.length} more` : '') + '.');
  body.replaceChildren(...parts.filter(Boolean).map((p) => el('p', p)));
  if (!r.upstreams.length) return;
  body.append(table('What each upstream replied', ['', 'Upstream', 'Time', 'Reply', 'Why', 'Records'], r.upstreams.map((l) => [
    [l.winner ? '*' : ''], [l.upstream], [span(l.seconds), 'n'], [l.rcode === null ? '-' : l.data !== null && answers.includes(l.verdict) ? l.data : l.verdict === 'nodata' ? 'NODATA' : l.rcode, 'wrap ' + (l.seconds === null ? 'faint' : kind(l.verdict))],
    [l.why + (l.late ? ' (late)' : ''), 'wrap'], [[...l.answer || [], ...l.authority || [], ...l.extended_errors || []].join('\n') || '-', 'wrap'],
  ])));
}

async function showZones() {
  open('zones', 'Zones: who has answered where');
  let part;
  try {
    const list = (await all('zones')).map(([z]) => z);
    const names = (l) => (l || []).join(', ') || '-';
    const knower = (k) => k.upstream + (k.down ? ' (down)' : k.failing ? ' (failing)' : '');
    part = !list.length ? el('p', 'Nothing is known yet.') : table('Zones', ['Zone', 'Known by', 'Answers', 'Last', 'Missed by', 'Differ', 'System says', 'Note'], list.map((z, _, __, known = z.known_by || []) => [
      [z.zone], [names(known.sort((a, b) => (b.upstream === z.leader) - (a.upstream === z.leader)).map(knower)), 'wrap'],
      [known.reduce((n, k) => n + k.answers, 0) + (known.some((k) => k.answers >= 255) ? '+' : ''), 'n'], [age((Date.now() - Date.parse(z.last)) / 1000)],
      [names(z.missed_by), 'wrap'], [names(z.differ), 'wrap'], [names((z.system || []).map((d) => `${d.link}: ${d.domain}`)), 'wrap'], [z.note || '-', 'wrap'],
    ]));
  } catch (e) {
    part = el('p', e.message || 'the server cannot be asked');
  }
  if (pane === 'zones') of('panel-body').replaceChildren(part);
}

const helpTexts = [
  'Keys: d, f, s, x: only what was denied, failed, took long, or has answers that differ; again: all. /: filter. p: pause. Up, Down: choose a query. Enter: what each upstream said. z: zones. Esc: close.',
  'A filter is words that must all be true of a query: corp.example (its name or zone), AAAA, @10.1.0.53 (it has won), only:10.1.0.53 (and no other had a good answer), denied, failed, slow, >200ms, differ, asked:all (or knower, hedged, survey, none), and ! before any of them.',
  'Below the letter of each upstream: * its reply was given; = a good answer, too; \u2260 another answer; nx no such name; nd no such record; sf SERVFAIL; rf REFUSED; er another failure; bg bogus; tc truncated; rl refers elsewhere; cn an alias; \u00b7 no reply; \u2193 down; - not asked; ~ before these: it came late.',
  '! stands before failures, denials of names that not all upstreams confirm, and denials that were wrong. (x5) is five queries: an answer, and four names that a search list led to just before, which all upstreams denied. (kept) is from dnsmus\'s own cache. What the plugin cache answers is not seen.',
];

function showHelp() {
  open('help', 'Help');
  of('panel-body').replaceChildren(...helpTexts.map((t) => el('p', t)));
}
