// The table of queries.

const maxShown = 200; // rows
const maxCells = 16; // columns of upstreams

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
