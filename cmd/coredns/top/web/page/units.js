// How times, shares and rates are written.

const clock = (at) => new Date(at).toTimeString().slice(0, 8);

function span(s) {
  if (s === null || s === undefined) return '-';
  return s < 0.00995 ? (s * 1000).toFixed(1) + ' ms' : s < 0.9995 ? (s * 1000).toFixed(0) + ' ms' : s.toFixed(2) + ' s';
}

function age(s) {
  s = Math.max(0, Math.floor(s));
  const two = (n, unit, m, small) => `${n} ${unit}` + (m ? ` ${m} ${small}` : '');
  if (s < 60) return s + ' s';
  if (s < 3600) return Math.floor(s / 60) + ' min';
  if (s < 86400) return two(Math.floor(s / 3600), 'h', Math.floor(s % 3600 / 60), 'min');
  return two(Math.floor(s / 86400), 'd', Math.floor(s % 86400 / 3600), 'h');
}

// share is a part in percent, which is 0% or 100% only if it is that.
function share(part, all) {
  const percent = Math.round(100 * part / all);
  return !all ? '-' : part > 0 && percent === 0 ? '<1%' : part < all && percent > 99 ? '>99%' : percent + '%';
}

function rate(times, seconds) {
  const each = times / seconds;
  return seconds < 1 ? '' : each < 9.95 ? each.toFixed(1) : each.toFixed(0);
}
