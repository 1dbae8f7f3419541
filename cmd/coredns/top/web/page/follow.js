// What is read from the server: events as they come, what it remembers, its state.

const stateEvery = 2000, again = 1000; // ms

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
