// Elements of text. Nothing that others have written is ever markup.

const of = (id) => document.getElementById(id);

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
