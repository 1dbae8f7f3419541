// What keys and buttons do.

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
