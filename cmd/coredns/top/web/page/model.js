// What is known of a server. There is no clock here, and nothing of the page.

const maxRows = 2000, maxSize = 16 << 20; // rows that are kept, and characters of theirs
const foldWithin = 1000; // ms, as in top's terminal
const maxNames = 8; // of queries that are part of another one
const points = 75, pointEvery = 4000; // of graphs; ms
const alphabet = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+&';

// read reads a line; undefined: it was cut off. What others have written becomes printable.
function read(text) {
  try {
    return JSON.parse(text, (_, v) => typeof v === 'string' ? v.replace(/[^ -~]/g, '?') : v);
  } catch {
    return undefined;
  }
}

// later says whether a query was over after another. Clocks are set; numbers only grow.
function later(a, b) {
  if (a.run !== b.run) return a.run > b.run;
  const x = a.race.id, y = b.race.id;
  return x.length > y.length || x.length === y.length && x > y;
}

class Model {
  rows = []; // the oldest first
  size = 0;
  run = 0; // of the server's process
  search = new Suffixes();
  letters = []; // of upstreams, by their places; '': free
  graphs = new Map(); // by upstream
  words = '';
  view = '';
  server = ''; // block; '': it is not known yet
  state = null;
  broken = ''; // why there is no connection
  oneOf = 1; // so many queries are one that is told

  constructor() { this.choose('', ''); }

  // choose shows the queries that words, and one more, are true of.
  choose(words, view) {
    this.words = words;
    this.view = view;
    this.listed = wanted(words);
    this.viewed = wanted(view);
    this.narrow = !!view && this.oneOf > 1;
    for (const row of this.rows) this.weigh(row);
  }

  weigh(row) {
    row.inList = !row.race || this.listed(row.race);
    row.wanted = row.inList && (!row.race || this.viewed(row.race));
  }

  // filter is what the server is asked for: by the view as well, from when not all queries are told.
  filter() { return (this.words + ' ' + (this.narrow ? this.view : '')).trim(); }

  // visible are the rows that have a line, the newest first.
  visible(most, rows = this.rows) {
    const list = [];
    for (let i = rows.length - 1; i >= 0 && list.length < most; i--) {
      const row = rows[i];
      if (row.wanted && !(row.part && row.part.inList)) list.push(row);
    }
    return list;
  }

  block() {
    const all = this.state ? this.state.servers : [];
    return all.find((s) => s.server === this.server || s.listens.includes(this.server)) || all[0];
  }

  // take takes a line of what happens.
  take(e, size, now) {
    switch (e.event) {
      case 'search': for (const domain of e.domains || []) this.search.add(domain); break;
      case 'state':
        this.server = this.server || e.block || '';
        this.takeState(e.state, now);
        break;
      case 'begin':
        if (this.broken) this.note(now, `connected again, to process ${this.state.pid}`);
        this.broken = '';
        this.oneOf = 1;
        break;
      case 'broken':
        if (!this.broken) this.note(now, e.why);
        this.broken = e.why;
        break;
      case 'race': this.addRace(e, 1, size); break;
      case 'late': this.takeLate(e); break;
      case 'upstream': {
        const u = this.block() && this.block().upstreams.find((u) => u.upstream === e.upstream);
        if (u) Object.assign(u, { state: e.state, since: e.at });
        this.note(Date.parse(e.at), `upstream ${e.upstream} is ${e.state}` + (e.why ? ': ' + e.why : '') + (e.waiting ? `; ${e.waiting} queries wait for it` : ''));
        break;
      }
      case 'list':
        this.note(Date.parse(e.at), `the upstreams are ${e.upstreams.join(', ')}` + (e.added.length ? '; new: ' + e.added.join(', ') : '') + (e.removed.length ? '; gone: ' + e.removed.join(', ') : ''));
        break;
      case 'zone': this.note(Date.parse(e.at), `in the zone ${e.zone} answers differ: ${e.upstreams.join(', ')}`); break;
      case 'lost': this.note(Date.parse(e.at), `${e.events} events were lost: this page is too slow for all of them; a filter helps`); break;
      case 'sampled':
        this.oneOf = e.one_of;
        this.narrow = this.narrow || !!this.view && e.one_of > 1;
        this.note(Date.parse(e.at), e.one_of > 1 ? `there are too many queries to show: one of ${e.one_of} is shown` : 'all queries are shown again');
        break;
    }
  }

  takeState(s, now) {
    if (!this.state || this.state.pid !== s.pid || this.state.since !== s.since) this.run++; // queries are numbered anew
    this.state = s;
    const block = this.block();
    if (!block) return;
    this.server = block.server;
    const names = block.upstreams.map((u) => u.upstream);
    this.letters = this.letters.map((name) => names.includes(name) ? name : '');
    for (const name of names) {
      if (this.letters.includes(name)) continue;
      const free = this.letters.indexOf('');
      if (free >= 0) this.letters[free] = name;
      else if (this.letters.length < alphabet.length) this.letters.push(name);
    }
    for (const u of block.upstreams) for (const domain of u.domains || []) this.search.add(domain);
    if (now - (this.graphedAt || 0) < pointEvery - 1000) return;
    this.graphedAt = now;
    const graphs = new Map();
    for (const u of block.upstreams) {
      const m = u.minute, list = (this.graphs.get(u.upstream) || []).slice(1 - points);
      list.push({ asked: m.asked, lost: m.failed + m.silent + m.no_opinion, away: u.state === 'down' || u.state === 'gone' });
      graphs.set(u.upstream, list);
    }
    this.graphs = graphs;
  }

  // see shows another server block.
  see(server, now) {
    Object.assign(this, { server, rows: [], size: 0, letters: [], graphs: new Map(), graphedAt: 0 });
    this.takeState(this.state, now);
  }

  letter(upstream) {
    const i = this.letters.indexOf(upstream);
    return upstream && i >= 0 ? alphabet[i] : '?';
  }

  note(at, text) { this.add({ at, note: text, size: text.length, times: 1 }); }

  takeRemembered(r, size) {
    const row = this.addRace({ clients: 1, ...r }, r.count, size);
    if (row) row.wrong = (r.late || []).length > 0;
  }

  addRace(race, times, size) {
    if (this.server && race.server && race.server !== this.server) return null;
    for (const list of ['differ', 'missing', 'upstreams']) race[list] = race[list] || [];
    const row = { at: Date.parse(race.at), run: this.run, race, times, size, wrong: false, folded: 0, names: [] };
    if (!this.add(row)) return null;
    this.fold(row);
    return row;
  }

  // add adds a row where its number says: at the end, but for a few. It returns false if it is there already.
  add(row) {
    let at = this.rows.length;
    while (row.race && at > 0) {
      const o = this.rows[at - 1];
      if (o.race) {
        if (o.run === row.run && o.race.id === row.race.id) return false;
        if (!later(o, row)) break;
      }
      at--;
    }
    while (row.race && at < this.rows.length && !this.rows[at].race) at++;
    this.weigh(row);
    this.rows.splice(at, 0, row);
    this.size += row.size;
    let drop = 0;
    while (this.rows.length - drop > maxRows || this.size > maxSize) this.size -= this.rows[drop++].size;
    this.rows.splice(0, drop);
    return true;
  }

  // fold makes the denials that a search list led to part of the good answer that came then.
  fold(row) {
    const r = row.race;
    if (r.verdict !== 'good' || row.times > 1 || !isAddress(r.type)) return;
    for (let i = this.rows.indexOf(row) - 1; i >= 0; i--) {
      const o = this.rows[i];
      if (!o.race) continue;
      if (o.run !== row.run || Math.abs(row.at - r.seconds * 1000 - o.at) > foldWithin) return;
      if (!o.part && folds(o) && this.search.same(o.race.name, r.name)) {
        o.part = row;
        row.folded++;
        if (row.names.length < maxNames) row.names.push(o.race.name + ' ' + o.race.type);
      }
    }
  }

  // takeLate takes a reply that came when its query was over. A denial that it shows to be wrong is no
  // part of another query any more.
  takeLate(e) {
    const row = this.rows.findLast((o) => o.race && o.run === this.run && o.race.id === e.id);
    if (!row) return;
    row.changed = (row.changed || 0) + 1;
    for (const l of row.race.upstreams) {
      if (l.upstream !== e.upstream) continue;
      Object.assign(l, { seconds: e.seconds, verdict: e.verdict, late: true });
      if (!l.rcode) l.why = 'a late reply: ' + e.verdict;
    }
    if (!e.would_have_won) return;
    row.wrong = true;
    if (row.part) {
      const name = row.race.name + ' ' + row.race.type;
      row.part.folded--;
      row.part.names = row.part.names.filter((n) => n !== name);
      row.part.changed = (row.part.changed || 0) + 1;
      row.part = null;
    }
  }
}
