// The page: what is known, in tables of text. Nothing that others have written is ever markup.

const drawEvery = 250, stateEvery = 2000, again = 1000; // ms
const maxShown = 200; // rows
const maxCells = 16; // columns of upstreams
const of = (id) => document.getElementById(id);
const [token, ...startWords] = location.hash.slice(1).split('&');

const model = new Model();
let paused = null; // rows, while they are held
let chosen = null; // the row that the panel shows
let pane = ''; // what the panel shows: 'race', 'zones', 'help' or nothing
let problem = ''; // what the person did wrong
let over = ''; // why there is nothing more to come
let changed = true;
let following = null; // aborts the stream
let polling = false;

// el makes an element with text.
function el(tag, text, name) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (name) e.className = name;
  return e;
}

function set(e, text, name) {
  if (e.textContent !== text) e.textContent = text;
  if (name !== undefined && e.className !== name) e.className = name;
}

// ask asks the process that serves this page.
async function ask(path, params, signal) {
  const all = new URLSearchParams(params);
  if (model.server) all.set('server', model.server);
  const reply = await fetch(`/v1/${path}?${all}`, { headers: { Authorization: 'Bearer ' + token }, cache: 'no-store', redirect: 'error', signal });
  if (reply.status === 404) throw new Denied();
  if (!reply.ok) throw new Error((await reply.text()).trim());
  return reply;
}

class Denied extends Error {} // there is no such token: another process has the port now

// lines calls each with the lines of a reply as they come.
async function lines(reply, each) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const all = (rest + value).split('\n');
    rest = all.pop();
    for (const line of all) {
      const v = line ? read(line) : undefined;
      if (v !== undefined) each(v, line.length);
    }
  }
}

async function all(path, params) {
  const list = [];
  await lines(await ask(path, params), (v, size) => list.push([v, size]));
  return list;
}

// request says which events are asked for.
const request = () => model.filter() + '\n' + (model.state && model.state.servers.length > 1 ? model.server : '');

// follow reads what happens, for as long as the process that serves this page runs.
async function follow() {
  if (following) following.abort();
  const { signal } = following = new AbortController();
  for (let tries = 0; tries < 5;) {
    const filter = model.filter(), asked = request();
    try {
      await lines(await ask('events', { filter }, signal), (e, size) => {
        if (signal.aborted) return;
        tries = 0;
        if (e.event === 'refused') refuse(e.why);
        else take(() => model.take(e, size, Date.now()));
        if (e.event === 'begin') remember(filter, signal);
        if (e.event === 'state' && !polling) {
          polling = true;
          setTimeout(poll, stateEvery);
        }
        if (request() !== asked) follow();
      });
    } catch (e) {
      if (e instanceof Denied) tries = 5;
    }
    if (signal.aborted) return;
    tries++;
    await new Promise((resolve) => setTimeout(resolve, again));
    if (signal.aborted) return;
  }
  over = token ? 'The command that served this page has ended. Start it again, and open the address that it writes.' :
    'This page needs the whole address that the command has written, with what stands after #.';
  changed = true;
  draw();
}

function take(take) {
  try {
    take();
  } catch { // it is a newer server's
    problem = 'the server says something that this page does not understand';
  }
  changed = true;
}

// remember reads what the server remembers, the oldest first.
async function remember(filter, signal) {
  try {
    for (const [r, size] of (await all('history', { filter })).reverse()) {
      if (!signal.aborted) take(() => model.takeRemembered(r, size));
    }
  } catch { /* the stream says what is wrong */ }
}

function refuse(why) {
  problem = why;
  choose('', '');
}

async function poll() {
  try {
    const state = read(await (await ask('status')).text());
    if (state) take(() => model.takeState(state, Date.now()));
  } catch { /* likewise */ }
  if (!over) setTimeout(poll, stateEvery);
}

// choose shows other queries.
function choose(words, view) {
  const before = request();
  model.choose(words, view);
  history.replaceState(null, '', '#' + token + (words ? '&' + encodeURIComponent(words) : ''));
  of('filter').value = words;
  if (following && request() !== before) follow();
  changed = true;
  draw();
}

function see(view) {
  choose(model.words, model.view === view ? '' : view);
}

// draw draws all that has changed.
function draw() {
  if (!changed || document.hidden) return;
  changed = false;
  drawHead();
  drawUpstreams();
  drawRaces();
  if (pane === 'race') drawRace();
}

function drawHead() {
  const block = model.block(), parts = [];
  if (block) {
    const m = block.minute;
    parts.push(block.server, 'up ' + age((Date.now() - Date.parse(model.state.since)) / 1000));
    if (m.all && m.seconds >= 1) parts.push(rate(m.all, m.seconds) + '/s', 'good ' + share(m.good, m.all), 'denied ' + share(m.denied, m.all), 'failed ' + share(m.failed, m.all));
    if (block.hour.wrong_denials) parts.push('wrong denials ' + block.hour.wrong_denials);
    const blocks = model.state.servers.map((s) => s.server);
    const select = of('block');
    select.hidden = blocks.length < 2;
    if (select.dataset.all !== blocks.join()) {
      select.dataset.all = blocks.join();
      select.replaceChildren(...blocks.map((b) => el('option', b)));
    }
    select.value = model.server;
  }
  set(of('summary'), parts.join('   '));
  const [text, name] = over ? ['ended', 'broken'] : model.broken ? ['no connection, connecting again', 'broken'] : paused ? ['paused', 'held'] :
    model.oneOf > 1 ? [`one of ${model.oneOf} shown`, 'held'] : model.state ? ['live', ''] : ['connecting', 'held'];
  set(of('live'), text, name);
  const words = (model.words + ' ' + model.view).trim();
  set(of('shown'), over || problem || model.broken || (words ? 'only: ' + words : ''), over || problem || model.broken ? 'failed' : '');
  for (const b of document.querySelectorAll('[data-view]')) b.setAttribute('aria-pressed', model.view === b.dataset.view);
  of('pause').setAttribute('aria-pressed', !!paused);
  for (const id of ['zones', 'help']) of(id).setAttribute('aria-pressed', pane === id);
}

function drawUpstreams() {
  const block = model.block();
  if (!block) return;
  const body = of('upstreams').tBodies[0];
  const list = [...block.upstreams].sort((a, b) => model.letters.indexOf(a.upstream) - model.letters.indexOf(b.upstream));
  while (body.rows.length > list.length) body.deleteRow(-1);
  let most = 1;
  for (const graph of model.graphs.values()) for (const p of graph) most = Math.max(most, p.asked);
  list.forEach((u, i) => {
    const row = body.rows[i] || newUpstream(body);
    const h = u.hour, replies = h.good + h.denied + h.no_opinion + h.failed;
    const cells = [model.letter(u.upstream), u.upstream, `${u.state} ${age((Date.now() - Date.parse(u.since)) / 1000)}`, span(u.p50), span(u.p95), rate(u.minute.asked, block.minute.seconds),
      share(h.good, replies), String(h.only), share(h.denied, replies), String(h.failed + h.silent)];
    cells.forEach((text, n) => set(n === 1 ? row.cells[n].firstChild : row.cells[n], text));
    row.cells[2].className = u.state === 'up' ? 'good' : 'failed';
    row.cells[2].title = u.about || '';
    const view = '@' + u.upstream;
    row.cells[1].firstChild.setAttribute('aria-pressed', model.view === view);
    row.cells[1].firstChild.onclick = () => see(view);
    drawGraph(row.cells[10].firstChild, model.graphs.get(u.upstream) || [], most);
  });
  const notes = of('notes');
  if (notes.dataset.all !== block.notes.join('\n')) {
    notes.dataset.all = block.notes.join('\n');
    notes.replaceChildren(...block.notes.map((n) => el('li', n)));
  }
}

function newUpstream(body) {
  const row = body.insertRow();
  for (let i = 0; i < 11; i++) row.append(el(i === 1 ? 'th' : 'td', undefined, i > 2 && i < 10 ? 'n' : ''));
  const name = el('button', undefined, 'plain');
  name.type = 'button';
  name.title = 'show only what it has won';
  row.cells[1].append(name);
  row.cells[1].scope = 'row';
  row.cells[10].append(newGraph());
  return row;
}

const width = 150, height = 24, middle = 18;

function svg(tag, attributes) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const name in attributes) e.setAttribute(name, attributes[name]);
  return e;
}

function newGraph() {
  const g = svg('svg', { width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' });
  g.append(svg('path', { class: 'away' }), svg('line', { class: 'zero', x1: 0, x2: width, y1: middle, y2: middle }), svg('path', { class: 'lost' }), svg('polyline', { class: 'asked' }));
  return g;
}

// drawGraph draws how often an upstream was asked, the last time at the right; below the line, how much of that was in vain.
function drawGraph(g, list, most) {
  const step = width / (points - 1), x = (i) => ((points - list.length + i) * step).toFixed(1);
  const [away, , lost, asked] = g.children;
  asked.setAttribute('points', list.map((p, i) => `${x(i)},${(middle - p.asked / most * (middle - 1)).toFixed(1)}`).join(' '));
  const bars = (take, from, to) => list.map((p, i) => take(p) ? `M${x(i - 1)} ${from}h${step}V${to(p)}h-${step}z` : '').join('');
  lost.setAttribute('d', bars((p) => p.lost, middle, (p) => (middle + Math.max(1, p.lost / most * (height - middle))).toFixed(1)));
  away.setAttribute('d', bars((p) => p.away, 0, () => middle));
  const last = list.length ? list[list.length - 1] : { asked: 0, lost: 0 };
  g.setAttribute('aria-label', `asked ${last.asked} times in the last minute, ${last.lost} in vain`);
}

const shownRows = new Map(); // elements, by row

// drawRaces keeps the elements of rows that stay, so that what is chosen, and where the page is, stays too.
function drawRaces() {
  const shown = model.letters.length > maxCells ? [] : model.letters;
  const heads = ['', 'Time', 'Name', 'Type', 'Reply', 'ms', 'By', ...shown.map((name, i) => name && alphabet[i]), ''];
  const head = of('races').tHead.rows[0];
  if (head.dataset.all !== heads.join() + shown.join()) {
    head.dataset.all = heads.join() + shown.join();
    head.replaceChildren(...heads.map((text, i) => {
      const th = el('th', text, i === 5 ? 'n' : i > 6 && i < heads.length - 1 ? 'cell' : '');
      th.scope = 'col';
      if (th.className === 'cell') th.title = shown[i - 7];
      if (!text) th.setAttribute('aria-label', i ? 'Remarks' : 'Mark');
      return th;
    }));
    shownRows.clear();
    of('races').tBodies[0].replaceChildren();
  }
  const list = model.visible(maxShown, paused || model.rows);
  const body = of('races').tBodies[0];
  const keep = new Set(list);
  for (const [row, e] of shownRows) {
    if (!keep.has(row)) {
      e.remove();
      shownRows.delete(row);
    }
  }
  let before = null;
  for (const row of list) {
    let e = shownRows.get(row);
    const version = `${row.folded} ${row.wrong} ${row.changed || 0} ${row.times}`;
    if (!e) {
      e = newRow(row);
      shownRows.set(row, e);
    }
    if (e.dataset.version !== version) {
      e.dataset.version = version;
      fillRow(e, row, shown);
    }
    const next = before ? before.nextElementSibling : body.firstElementChild;
    if (next !== e) body.insertBefore(e, next);
    if (row === chosen) e.setAttribute('aria-current', 'true');
    else e.removeAttribute('aria-current');
    before = e;
  }
  of('none').hidden = list.length > 0;
  set(of('none'), model.words || model.view ? 'No such query yet.' : 'No query yet.');
  if (!list.some((row) => shownRows.get(row).tabIndex === 0)) {
    const first = list.find((row) => row.race);
    if (first) shownRows.get(first).tabIndex = 0;
  }
}

const clock = (at) => new Date(at).toTimeString().slice(0, 8);

function newRow(row) {
  const e = el('tr', undefined, row.race ? '' : 'sentence');
  if (!row.race) return e;
  e.tabIndex = -1;
  e.onclick = () => show(row);
  e.onfocus = () => {
    for (const other of shownRows.values()) if (other.tabIndex === 0) other.tabIndex = -1;
    e.tabIndex = 0;
  };
  return e;
}

function fillRow(e, row, shown) {
  if (!row.race) {
    const td = el('td', row.note, 'wrap');
    td.colSpan = 6 + shown.length;
    e.replaceChildren(el('td'), el('td', clock(row.at)), td);
    return;
  }
  const r = row.race, name = kind(r.verdict), marked = matters(row);
  const mark = el('td', marked ? '!' : '', 'mark');
  if (marked) mark.setAttribute('aria-label', 'matters');
  const cells = [mark, el('td', clock(row.at)), el('td', nameOf(r) + (row.folded ? ` (x${row.folded + 1})` : ''), 'name'), el('td', r.type),
    el('td', reply(r), 'reply ' + name), el('td', r.cached ? '-' : (r.seconds * 1000).toFixed(r.seconds < 0.00995 ? 1 : 0), 'n'), el('td', r.upstream ? model.letter(r.upstream) : '-')];
  for (const upstream of shown) {
    const leg = r.upstreams.find((l) => l.upstream === upstream && upstream);
    const td = el('td', leg ? cell(r, leg) : '', 'cell ' + (leg && leg.seconds !== null ? kind(leg.verdict) : 'faint'));
    if (leg) td.title = leg.upstream + ': ' + leg.why;
    cells.push(td);
  }
  cells.push(el('td', remark(row, (u) => model.letter(u)), 'faint wide'));
  e.replaceChildren(...cells);
}

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

// table is one of texts, each with its class.
function table(label, heads, rows) {
  const t = el('table');
  t.setAttribute('aria-label', label);
  const head = t.createTHead().insertRow();
  for (const text of heads) {
    const th = el('th', text);
    th.scope = 'col';
    head.append(th);
  }
  const body = t.createTBody();
  for (const row of rows) body.insertRow().append(...row.map(([text, name]) => el('td', text, name)));
  return t;
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

function pause() {
  paused = paused ? null : [...model.rows];
  changed = true;
  draw();
}

// move chooses another row of the table.
function move(by) {
  const rows = [...document.querySelectorAll('#races tbody tr[tabindex]')];
  const at = rows.indexOf(document.activeElement);
  const to = rows[at < 0 ? rows.findIndex((r) => r.tabIndex === 0) : Math.max(0, Math.min(rows.length - 1, at + by))];
  if (to) to.focus();
}

const keys = {
  d: () => see('denied'), f: () => see('failed'), s: () => see('slow'), x: () => see('differ'), p: pause,
  z: () => pane === 'zones' ? open('') : showZones(), '?': () => pane === 'help' ? open('') : showHelp(), '/': () => of('filter').select(),
  ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1),
  Enter: () => document.activeElement.tagName === 'TR' && document.activeElement.click(),
};

document.addEventListener('keydown', (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const typing = /^(INPUT|SELECT)$/.test(e.target.tagName);
  if (e.key === 'Escape') {
    if (typing) e.target.blur();
    else open('');
    return;
  }
  const does = keys[e.key];
  if (!does || typing || e.key.startsWith('Arrow') && of('panel').contains(e.target) || e.key === 'Enter' && e.target.tagName !== 'TR') return;
  e.preventDefault();
  problem = '';
  does();
});
for (const b of document.querySelectorAll('[data-view]')) b.addEventListener('click', () => see(b.dataset.view));
of('pause').addEventListener('click', pause);
of('zones').addEventListener('click', keys.z);
of('help').addEventListener('click', keys['?']);
of('close').addEventListener('click', () => open(''));
of('filter').addEventListener('change', () => {
  problem = '';
  choose(of('filter').value.trim().replace(/\s+/g, ' '), model.view);
});
of('block').addEventListener('change', () => {
  model.see(of('block').value, Date.now());
  paused = null;
  follow();
});
document.addEventListener('visibilitychange', draw);

choose(decodeURIComponent(startWords.join('&')), '');
follow();
setInterval(draw, drawEvery);
