// The page: what is known, in tables of text. All that changes is here.

const drawEvery = 250; // ms
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

choose(decodeURIComponent(startWords.join('&')), '');
follow();
setInterval(draw, drawEvery);
