// Asks the process that serves this page.

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
