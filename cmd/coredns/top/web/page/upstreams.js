// The table of upstreams, with their graphs.

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
