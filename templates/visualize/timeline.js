// Days are whole numbers counted from 1970-01-01, without hours and time zones, like the dates in the data.
const DAY = 86400000;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const dayOf = (text) => (text ? Math.round(Date.parse(text + 'T00:00:00Z') / DAY) : null);
const dateOf = (day) => new Date(day * DAY);
const weekday = (day) => (((day + 3) % 7) + 7) % 7; // 0 is Monday
const tell = (day) => {
  const date = dateOf(day);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
};

// Pixels per day for each named zoom, and the maximum width of the timeline that browsers scroll well.
const ZOOMS = { day: 26, week: 9, month: 2.6 };
const MAX_PIXELS = 300000;

function svg(name, attributes, ...children) {
  const node = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// The shapes of a bar, also used in the legend. `from` and `to` are its edges. `now` is the start of today.
function shapes(basis, from, to, now, height) {
  const box = (kind, a, b) => svg('rect', { class: `b-${kind}`, x: a, y: height / 2 - 6.5, width: Math.max(b - a, 2), height: 13, rx: 2.5 });
  switch (basis) {
    case 'underway': {
      const cut = Math.min(Math.max(now, from), to);
      return [box('left', Math.max(cut, from + 3), to), box('underway', from, Math.max(cut, from + 3))];
    }
    case 'parts': {
      const [y, b] = [height / 2 - 5, Math.max(to, from + 4)];
      const leg = Math.min(5, (b - from) / 2);
      return [svg('path', { class: 'b-parts', d: `M${from} ${y}H${b}V${y + 10}L${b - leg} ${y + 5}H${from + leg}L${from} ${y + 10}Z` })];
    }
    default:
      return [box(basis, from, to)];
  }
}

const milestone = (basis, x, height) =>
  svg('path', { class: `b-${basis}`, d: `M${x} ${height / 2 - 8}l8 8-8 8-8-8z` });
const diamond = (x, height, late) =>
  svg('path', { class: late ? 'due late' : 'due', d: `M${x} ${height / 2 - 6}l6 6-6 6-6-6z` });

// A timeline from day `first` to day `last`, drawn into the nodes of the page.
function makeTimeline({ nodes, first, last, today, projectDue }) {
  let pixels = ZOOMS.week;
  const days = last - first + 1;
  const x = (day) => Math.round((day - first) * pixels * 10) / 10;
  const width = () => Math.ceil(days * pixels);

  function ticks(begin, next, words) {
    const found = [];
    let at = begin(first);
    while (at <= last) {
      const then = next(at);
      const [from, to] = [Math.max(at, first), Math.min(then, last + 1)];
      const tick = document.createElement('span');
      tick.style.width = `${x(to) - x(from)}px`;
      const inner = document.createElement('i');
      inner.textContent = (to - from) * pixels > 16 ? words(at) : '';
      tick.append(inner);
      if (at <= today && today < then) tick.className = 'now';
      found.push(tick);
      at = then;
    }
    return found;
  }

  const months = (step) => [
    (day) => { const d = dateOf(day); return Date.UTC(d.getUTCFullYear(), Math.floor(d.getUTCMonth() / step) * step, 1) / DAY; },
    (day) => { const d = dateOf(day); return Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + step, 1) / DAY; },
  ];
  const years = (step) => [
    (day) => Date.UTC(Math.floor(dateOf(day).getUTCFullYear() / step) * step, 0, 1) / DAY,
    (day) => Date.UTC(dateOf(day).getUTCFullYear() + step, 0, 1) / DAY,
  ];
  const weeks = [(day) => day - weekday(day), (day) => day + 7];
  const single = [(day) => day, (day) => day + 1];
  const month = (day) => MONTHS[dateOf(day).getUTCMonth()];
  const year = (day) => `${dateOf(day).getUTCFullYear()}`;
  const monthYear = (day) => `${month(day)} ${year(day)}`;
  const number = (day) => `${dateOf(day).getUTCDate()}`;

  // The coarse and the fine grouping of days, for the two lines of the header.
  function tiers() {
    if (pixels >= 17) return [[...months(1), monthYear], [...single, number]];
    if (pixels >= 4.5) return [[...months(1), monthYear], [...weeks, number]];
    if (pixels >= 1) return [[...years(1), year], [...months(1), month]];
    const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((step) => step * 365 * pixels > 44) || 2000;
    if (step === 1 && pixels > 0.25) return [[...years(1), year], [...months(3), month]];
    return [[...years(step * 5), year], [...years(step), year]];
  }

  function drawScale() {
    const [coarse, fine] = tiers();
    nodes.tops.replaceChildren(...ticks(...coarse));
    nodes.ticks.replaceChildren(...ticks(...fine));
    const lines = [];
    const line = (day, kind) => lines.push(svg('line', { class: kind, x1: x(day), x2: x(day), y1: 0, y2: '100%' }));
    if (pixels >= 4.5) {
      for (let day = first - weekday(first) + 5; day <= last; day += 7) {
        lines.push(svg('rect', { class: 'weekend', x: x(day), y: 0, width: 2 * pixels, height: '100%' }));
      }
    }
    const [begin, next] = pixels >= 4.5 ? weeks : fine;
    for (let day = next(begin(first)); day <= last; day = next(day)) line(day, 'gridline');
    line(today, 'todayline');
    if (projectDue !== null) line(projectDue + 1, 'dueline');
    nodes.grid.replaceChildren(...lines);
    for (const node of [nodes.grid, nodes.arrows]) node.setAttribute('width', width());
  }

  // The bar of a task in its row.
  function bar(task, height) {
    const picture = svg('svg', { width: width(), height, role: 'presentation' });
    const isMilestone = task.kind === 'milestone';
    if (task.start !== null && isMilestone) picture.append(milestone(task.basis, x(task.end + 1), height));
    else if (task.start !== null) picture.append(...shapes(task.basis, x(task.start), x(task.end + 1), x(today), height));
    if (task.due !== null && !task.isClosed) {
      picture.append(diamond(x(task.due + 1), height, task.isLate));
      if (task.isLate) {
        const after = Math.max(x(task.due + 1), task.end === null ? 0 : x(task.end + 1));
        picture.append(svg('text', { class: 'late-word', x: after + 10, y: height / 2 + 4 }, task.isOverdue ? 'overdue' : 'late'));
      }
    }
    return picture;
  }

  // A line and its arrowhead, from the predecessor to the dependent task. Rows are counted from the top.
  function arrow(link, height) {
    const leaves = link.type[0] === 'F';
    const enters = link.type[1] === 'S';
    const [x1, y1] = [leaves ? x(link.to.end + 1) : x(link.to.start), (link.toRow + 0.5) * height];
    const [x2, y2] = [enters ? x(link.from.start) : x(link.from.end + 1), (link.fromRow + 0.5) * height];
    const out = leaves ? x1 + 6 : x1 - 6;
    const into = enters ? x2 - 7 : x2 + 7;
    const down = y2 > y1 ? 1 : -1;
    const direct = leaves && enters ? into >= out : false;
    const bend = y1 + (down * height) / 2;
    const d = direct
      ? `M${x1} ${y1}H${out}V${y2}H${x2}`
      : `M${x1} ${y1}H${out}V${bend}H${into}V${y2}H${x2}`;
    const tip = enters ? `M${x2} ${y2}l-6-3.5v7z` : `M${x2} ${y2}l6-3.5v7z`;
    return [d, tip];
  }

  return {
    bar, arrow, x, drawScale, width,
    get pixels() { return pixels; },
    set pixels(wanted) { pixels = Math.min(Math.max(wanted, 0.0001), 60, MAX_PIXELS / days); },
    fitting: (room) => Math.min((room - 4) / days, ZOOMS.day * 1.6),
  };
}
