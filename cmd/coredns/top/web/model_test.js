// Tests of what is known of a server, without a page.
const { test } = require('node:test');
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { runInThisContext } = require('node:vm');

const source = (name) => readFileSync(`${__dirname}/page/${name}.js`, 'utf8');
const { Model, Suffixes, read, share, span, age, reply, matters, cell, wanted } = runInThisContext(
  `(() => { 'use strict'; ${['words', 'units', 'search', 'query', 'model'].map(source).join('')}; return { Model, Suffixes, read, share, span, age, reply, matters, cell, wanted }; })()`);

const noon = Date.parse('2026-11-30T12:04:00Z');

function race(id, name, verdict, more) {
  return { event: 'race', id: id.toString(16).padStart(4, '0'), at: new Date(noon + 100 * id).toISOString(), server: 's', clients: 1, name, type: 'A', verdict,
    rcode: verdict === 'nxdomain' ? 'NXDOMAIN' : 'NOERROR', upstream: 'u', seconds: 0.01, data: verdict === 'good' ? '10.0.0.1' : null, conclusive: true,
    missing: [], differ: [], upstreams: [], asked: 'all', changed: null, ttl: 5, filtered: false, final: false, ...more };
}

function upstream(name, more) {
  const tally = { asked: 60, good: 30, denied: 30, no_opinion: 0, failed: 0, silent: 0, won: 1, only: 1 };
  return { upstream: name, state: 'up', since: new Date(noon).toISOString(), domains: [], minute: tally, hour: tally, ...more };
}

const state = (pid, ...names) => ({ pid, since: '2026-11-30T00:00:00Z', servers: [{ server: 's', listens: ['s'], upstreams: names.map((n) => upstream(n)), notes: [], minute: {}, hour: {} }] });

function told(...events) {
  const m = new Model();
  m.take({ event: 'state', state: state(1, 'u', 'v') }, 0, noon);
  for (const e of events) m.take(e, 100, noon);
  return m;
}

const shown = (m) => m.visible(99).map((r) => r.note || r.race.name + (r.folded ? ` x${r.folded + 1}` : ''));

test('a search list is folded, but never a name that somebody was silent on', () => {
  const denied = (id, name, more) => race(id, name, 'nxdomain', more);
  const answer = race(5, 'db.prod.', 'good');
  assert.deepEqual(shown(told(denied(1, 'db.prod.svc.local.'), denied(2, 'db.prod.local.'), answer)), ['db.prod. x3']);
  for (const more of [{ conclusive: false }, { changed: 'away' }, { filtered: true }, { differ: ['u'] }, { type: 'MX' }, { verdict: 'servfail' }, { at: new Date(noon - 5000).toISOString() }]) {
    assert.deepEqual(shown(told(denied(1, 'db.prod.local.', more), answer)), ['db.prod.', 'db.prod.local.'], JSON.stringify(more));
  }
  // Alone it is shown, and in the view of what was denied each.
  assert.deepEqual(shown(told(denied(1, 'db.prod.local.'))), ['db.prod.local.']);
  const m = told(denied(1, 'db.prod.local.'), answer);
  m.choose('', 'denied');
  assert.deepEqual(shown(m), []);
  m.choose('db.prod.local', '');
  assert.deepEqual(shown(m), ['db.prod.local.']);
  // A good answer came late: it is not part of another one any more.
  m.choose('', '');
  m.take({ event: 'late', id: '0001', upstream: 'v', seconds: 2, verdict: 'good', would_have_won: true }, 9, noon);
  assert.deepEqual(shown(m), ['db.prod.', 'db.prod.local.']);
  assert.ok(matters(m.rows[0]));
});

test('search domains are those of links, and those that were seen', () => {
  const s = new Suffixes();
  assert.ok(!s.same('nas.corp.example.', 'nas.'));
  s.add('corp.example');
  assert.ok(s.same('nas.corp.example.', 'nas.'));
  assert.ok(!s.same('nas.corp.example.', 'other.'));
  assert.ok(!s.same('nas.', 'nas.'));
  assert.ok(s.same('a.b.lan.', 'a.b.') && s.same('c.lan.', 'c.corp.example.'));
  for (let i = 0; i < 100; i++) s.add('d' + i);
  assert.equal(s.all.length, 32);
});

test('queries stand in the order of their numbers, each once, and not too many', () => {
  const m = told(race(2, 'b.', 'good'), race(1, 'a.', 'good'), race(3, 'c.', 'good'), race(2, 'b.', 'good'));
  assert.deepEqual(shown(m), ['c.', 'b.', 'a.']);
  m.take({ event: 'state', state: state(2, 'u', 'v') }, 0, noon); // another process numbers them anew
  m.take(race(1, 'new.', 'good'), 100, noon);
  assert.deepEqual(shown(m), ['new.', 'c.', 'b.', 'a.']);
  for (let i = 4; i < 5000; i++) m.take(race(i, `n${i}.`, 'good'), 100, noon);
  assert.equal(m.rows.length, 2000);
  assert.equal(m.size, 200000);
  m.take(race(5001, 'large.', 'good'), 16 << 20, noon);
  assert.deepEqual(shown(m), ['large.']);
  m.take(race(5002, 'larger.', 'good'), 17 << 20, noon);
  assert.equal(m.rows.length, 0);
});

test('where not all queries are told, the server chooses by the view, until another is chosen', () => {
  const m = told({ event: 'begin' });
  m.choose('corp.example', 'denied');
  assert.equal(m.filter(), 'corp.example');
  m.take({ event: 'sampled', at: '2026-11-30T12:04:00Z', one_of: 10 }, 9, noon);
  assert.equal(m.filter(), 'corp.example denied');
  m.take({ event: 'begin' }, 9, noon);
  assert.equal(m.filter(), 'corp.example denied');
  m.choose('corp.example', '');
  assert.equal(m.filter(), 'corp.example');
});

test('letters stay with their upstreams', () => {
  const m = told();
  m.takeState(state(1, 'v', 'w'), noon);
  assert.deepEqual(['u', 'v', 'w'].map((n) => m.letter(n)), ['?', 'b', 'a']);
  assert.equal(m.graphs.has('u'), true); // no time has passed
  m.takeState(state(1, 'v', 'w'), noon + 9000);
  assert.deepEqual([...m.graphs.keys()], ['v', 'w']);
});

test('texts of others are printable, and half a line is none', () => {
  assert.deepEqual(read('{"name":"\\u001b[2J\\u202ea\\u00ff","list":["\\u0007"]}'), { name: '?[2J?a?', list: ['?'] });
  assert.equal(read('{"name":"a'), undefined);
});

test('numbers', () => {
  assert.deepEqual([[0, 0], [1, 1000], [999, 1000], [1, 2], [0, 3], [3, 3]].map(([a, b]) => share(a, b)), ['-', '<1%', '>99%', '50%', '0%', '100%']);
  assert.deepEqual([null, 0.0042, 0.0612, 2.5].map(span), ['-', '4.2 ms', '61 ms', '2.50 s']);
  assert.deepEqual([-1, 59, 60, 3600, 93600].map(age), ['0 s', '59 s', '1 min', '1 h', '1 d 2 h']);
});

test('what a query is in the table', () => {
  const leg = (more) => ({ upstream: 'u', seconds: 0.01, verdict: 'nxdomain', rcode: 'NXDOMAIN', late: false, ...more });
  const r = race(1, 'a.', 'nxdomain', { differ: ['d'] });
  for (const [more, want] of [[{}, 'nx'], [{ winner: true }, '*'], [{ seconds: null }, '\u00b7'], [{ seconds: null, down: true }, '\u2193'], [{ seconds: null, unasked: true }, '-'],
    [{ verdict: 'good' }, '='], [{ verdict: 'good', upstream: 'd' }, '\u2260'], [{ verdict: 'good', late: true }, '~='], [{ rcode: null, verdict: 'none' }, 'er'], [{ verdict: 'new' }, '?']]) {
    assert.equal(cell(r, leg(more)), want, JSON.stringify(more));
  }
  for (const [e, want, mark] of [
    [race(1, 'a.', 'good'), '10.0.0.1', false], [race(1, 'a.', 'nxdomain'), 'NXDOMAIN 5s', false], [race(1, 'a.', 'nxdomain', { conclusive: false }), 'NXDOMAIN 5s', true],
    [race(1, 'a.', 'nxdomain', { changed: 'away', rcode: 'SERVFAIL' }), 'SERVFAIL (away)', true], [race(1, 'a.', 'nodata', { ttl: null }), 'NODATA', false],
    [race(1, 'a.', 'good', { cached: true }), '10.0.0.1 (kept)', false], [race(1, 'a.', 'none', { rcode: 'SERVFAIL', ttl: null, changed: 'none' }), 'SERVFAIL (none)', true],
  ]) {
    assert.equal(reply(e), want);
    assert.equal(matters({ race: e, wrong: false }), mark, want);
  }
});

// Whether a query is wanted is asked by a test of Go, too: [filter, races] on standard input.
if (process.argv[2] === 'wanted') {
  const [filters, races] = JSON.parse(readFileSync(0, 'utf8'));
  console.log(JSON.stringify(filters.map((f) => races.map(wanted(f)))));
  process.exit(0);
}
