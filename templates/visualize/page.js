const at = (id) => document.getElementById(id);
const data = JSON.parse(at('data').textContent);
const today = dayOf(data.today);
const CLOSED = ['completed', 'cancelled', 'archived'];
const phrase = (word) => word.replace(/_/g, ' ');
const WIDE = matchMedia('(min-width: 721px)');
// Projects with more tasks than this open with collapsed branches.
const MANY = 150;

// Adds derived fields to each task: its position in the tree, its dependencies, and its state.
const tasks = data.tasks.map((task, place) => ({
  ...task, place, parts: [], waits: [], holds: [],
  start: dayOf(task.start), end: dayOf(task.end), due: dayOf(task.due), notBefore: dayOf(task.not_before),
  isClosed: CLOSED.includes(task.status),
}));
for (const task of tasks) {
  task.above = task.parent === null ? null : tasks[task.parent];
  task.level = task.above ? task.above.level + 1 : 1;
  task.top = task.above ? task.above.top : task;
  if (task.above) task.above.parts.push(task);
}
const links = data.links.map((link) => ({ ...link, from: tasks[link.from], to: tasks[link.to] }));
for (const link of links) {
  link.from.waits.push(link);
  link.to.holds.push(link);
}
const holdsUp = (link) => link.type === 'FS' && !link.to.isClosed;
for (const task of tasks) {
  task.isWaiting = !task.isClosed && (task.waits.some(holdsUp) || Boolean(task.above && task.above.isWaiting));
  task.isOverdue = !task.isClosed && task.due !== null && task.due < today;
  task.isLate = task.isOverdue || (!task.isClosed && task.due !== null && task.end !== null && task.end > task.due);
  task.words = `${task.key} ${task.title} ${task.assignee || ''}`.toLowerCase();
}
const leaves = tasks.filter((task) => !task.parts.length);
const isReady = (task) => ['pending', 'assigned'].includes(task.status) && !task.parts.length && !task.isWaiting && !(task.notBefore > today);

// Filters by state. In the list, the statuses follow them.
const STANDINGS = {
  open: ['Open', (task) => !task.isClosed],
  work: ['In progress or review', (task) => !task.parts.length && ['in_progress', 'review'].includes(task.status)],
  ready: ['Ready', isReady],
  waiting: ['Waiting', (task) => task.isWaiting && !task.parts.length],
  stuck: ['Blocked or on hold', (task) => ['blocked', 'on_hold'].includes(task.status)],
  late: ['Late', (task) => task.isLate],
};

const shut = new Set(tasks.length > MANY ? tasks.filter((task) => task.parts.length) : []);
const filter = { text: '', status: '', who: '', phase: '' };
let isOpening = true; // whether the zoom still follows the window size
let shown = []; // the tasks of the visible rows, from top to bottom
let current = null; // the task that has the focus, or gets it next
let chosen = null; // the task whose links are highlighted

const known = tasks.flatMap((task) => [task.start, task.end, task.due]).concat(today).filter((day) => day !== null);
const projectDue = dayOf(data.project.due);
const timeline = makeTimeline({
  nodes: { tops: at('tops'), ticks: at('ticks'), grid: at('grid'), arrows: at('arrows') },
  first: Math.min(...[projectDue ?? today], known.reduce((a, b) => Math.min(a, b))) - 3,
  last: Math.max(...[projectDue ?? today], known.reduce((a, b) => Math.max(a, b))) + 12,
  today, projectDue,
});

function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
const icon = (status) => svg('svg', { class: `icon ${status}`, 'aria-hidden': 'true' }, svg('use', { href: `#s-${status}` }));
const rowHeight = () => at('rows').firstElementChild?.getBoundingClientRect().height || 30;
const hasTimeline = () => at('chart').dataset.view !== 'tree';
const lies = { done: 'actual', underway: 'in progress', due: 'projected to end on the due date', laid_out: 'projected', parts: 'span of its subtasks' };
const span = (task) => (task.start === null ? 'not on the timeline' : `${tell(task.start)} to ${tell(task.end)}, ${lies[task.basis]}`);

// A row is created when it is first shown. Its bar is created when the timeline is first shown.
function rowOf(task) {
  if (task.row) return task.row;
  const cell = (kind, ...children) => node('span', { role: 'gridcell', class: `c-${kind}` }, ...children.filter(Boolean));
  const title = cell('title', node('span', { class: 'twist', 'aria-hidden': 'true' }, task.parts.length ? '›' : ''), node('span', { class: 'text' }, task.title));
  title.style.paddingLeft = `${(task.level - 1) * 14}px`;
  title.title = task.title;
  if (task.parts.length) title.append(node('span', { class: 'inside', title: 'completed subtasks' }, `${task.parts.filter((part) => part.status === 'completed').length}/${task.parts.length}`));
  const due = task.due === null ? '' : `${task.isLate ? '! ' : ''}${tell(task.due).replace(` ${dateOf(today).getUTCFullYear()}`, '')}`;
  const left = node('div', { class: 'left', role: 'presentation' },
    cell('key', task.key), title,
    cell('status', icon(task.status), phrase(task.status)),
    cell(`priority ${task.priority || ''}`, task.priority || ''), cell('who', task.assignee || ''), cell('effort', task.effort || ''), cell('due', due));
  const kinds = ['row', task.parts.length && 'parent', task.isClosed && 'closed', task.status === 'cancelled' && 'cancelled', task.isLate && 'late'];
  task.lane = node('div', { class: 'lane', role: 'gridcell', 'aria-label': span(task), title: span(task) });
  task.row = node('div', { class: kinds.filter(Boolean).join(' '), role: 'row', tabindex: -1, 'aria-level': task.level, 'data-place': task.place }, left, task.lane);
  task.row.style.setProperty('--indent', `${(task.level - 1) * 14}px`);
  return task.row;
}

const matches = (task) =>
  filter.text.split(/\s+/).every((word) => task.words.includes(word)) &&
  (!filter.status || (STANDINGS[filter.status] ? STANDINGS[filter.status][1](task) : task.status === filter.status)) &&
  (!filter.who || (task.assignee || '-') === filter.who) &&
  (!filter.phase || task.top.place === Number(filter.phase));

// Selects the rows: matching tasks and their ancestors, without rows below collapsed branches.
function refresh() {
  const isFiltered = Object.values(filter).some(Boolean);
  const found = new Set(isFiltered ? tasks.filter(matches) : tasks);
  const around = new Set(found);
  for (const task of found) for (let up = task.above; up && !around.has(up); up = up.above) around.add(up);
  const isHidden = (task) => task.above && (shut.has(task.above) || isHidden(task.above));
  // A filter also shows matches in collapsed branches.
  shown = tasks.filter((task) => around.has(task) && (isFiltered || !isHidden(task)));
  const rows = shown.map((task) => {
    const row = rowOf(task);
    row.classList.toggle('context', !found.has(task));
    if (task.parts.length) row.setAttribute('aria-expanded', isFiltered ? task.parts.some((part) => around.has(part)) : !shut.has(task));
    return row;
  });
  at('rows').replaceChildren(...rows);
  at('chart').setAttribute('aria-rowcount', shown.length + 1);
  if (!shown.includes(current)) current = shown[0] || null;
  for (const task of shown) task.row.tabIndex = task === current ? 0 : -1;
  at('count').textContent = `Showing ${found.size} of ${tasks.length} tasks${isFiltered || found.size === rows.length ? '' : `, ${rows.length} of them in expanded branches`}`;
  at('clear').hidden = !isFiltered;
  at('none').hidden = shown.length > 0;
  at('none').textContent = tasks.length ? 'No task matches. Press Esc to clear the filter.' : 'This project has no tasks yet.';
  for (const tile of at('tiles').querySelectorAll('button')) tile.setAttribute('aria-pressed', filter.status === tile.dataset.status);
  drawBars();
}

function drawBars() {
  if (!hasTimeline()) return;
  const height = rowHeight();
  for (const task of shown) {
    if (task.drawnAt === `${timeline.pixels} ${height}`) continue;
    task.lane.replaceChildren(timeline.bar(task, height));
    task.drawnAt = `${timeline.pixels} ${height}`;
  }
  drawArrows(height);
}

// A link into a collapsed branch leads to the nearest visible ancestor. All lines form one path, except the lines of the
// task that was selected last.
function drawArrows(height) {
  const rows = new Map(shown.map((task, index) => [task, index]));
  const isFiltered = !at('clear').hidden;
  const standIn = (task) => { while (task && !rows.has(task) && !isFiltered) task = task.above; return rows.has(task) ? task : null; };
  const isWithin = (task, above) => Boolean(task) && (task === above || isWithin(task.above, above));
  const drawn = new Set();
  const kinds = { plain: [[], []], hot: [[], []] };
  for (const link of links) {
    const [from, to] = [standIn(link.from), standIn(link.to)];
    const name = from && to ? `${from.place} ${to.place} ${link.type}` : '';
    if (!name || drawn.has(name) || isWithin(from, to) || isWithin(to, from) || from.start === null || to.start === null) continue;
    drawn.add(name);
    const [line, tip] = timeline.arrow({ from, to, fromRow: rows.get(from), toRow: rows.get(to), type: link.type }, height);
    const kind = kinds[chosen && (from === chosen || to === chosen) ? 'hot' : 'plain'];
    kind[0].push(line);
    kind[1].push(tip);
  }
  at('arrows').replaceChildren(...Object.entries(kinds).map(([kind, [lines, tips]]) =>
    svg('g', { class: kind }, svg('path', { class: 'arrow', d: lines.join('') }), svg('path', { class: 'tip', d: tips.join('') }))));
  at('chart').classList.toggle('long', shown.length > 22);
}

function zoomTo(pixels, keep) {
  isOpening = pixels === 'fit';
  const chart = at('chart');
  const left = chart.querySelector('.left').getBoundingClientRect().width;
  const room = chart.clientWidth - left;
  const held = keep ?? (chart.scrollLeft + room / 2) / timeline.pixels;
  timeline.pixels = pixels === 'fit' ? timeline.fitting(room) : ZOOMS[pixels] || pixels;
  chart.querySelector('.head .lane').style.width = `${timeline.width()}px`;
  timeline.drawScale();
  drawBars();
  chart.scrollLeft = held * timeline.pixels - room / 2;
  for (const button of at('zoom').children) button.setAttribute('aria-pressed', button.dataset.zoom === pixels);
}
const todayDays = () => timeline.x(today) / timeline.pixels;

function view(name) {
  at('chart').style.removeProperty('--left');
  at('chart').dataset.view = name;
  for (const button of at('views').children) button.setAttribute('aria-pressed', button.dataset.view === name);
  for (const group of document.querySelectorAll('.zoom')) group.hidden = name === 'tree';
  if (name !== 'tree') zoomToOpen();
}

// The initial zoom, which follows the window size until the user zooms. Shows the whole timeline if that is readable.
function zoomToOpen() {
  zoomTo('fit');
  if (timeline.pixels < 2) zoomTo('month', todayDays() + 60);
  isOpening = true;
}

function focus(task) {
  if (!task) return;
  if (current?.row) current.row.tabIndex = -1;
  current = chosen = task;
  task.row.tabIndex = 0;
  task.row.focus({ preventScroll: true });
  task.row.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  if (hasTimeline()) drawArrows(rowHeight());
}

function toggle(task, open) {
  if (open) shut.delete(task); else shut.add(task);
  refresh();
  focus(task);
}

// Goes to a task and expands its ancestors.
function reveal(task) {
  if (!shown.includes(task)) clearFilter();
  for (let up = task.above; up; up = up.above) shut.delete(up);
  refresh();
  focus(task);
}

function details(task) {
  at('d-title').textContent = `${task.key}  ${task.title}`;
  const rows = [];
  const say = (name, ...said) => { if (said.some(Boolean)) rows.push(node('dt', {}, name), node('dd', {}, ...said)); };
  const others = (kind, end) => kind.map((link) => {
    const how = link.type === 'FS' && !link.lag ? '' : ` (${link.type}${link.lag ? ` ${link.lag}` : ''})`;
    const button = node('button', { type: 'button' }, icon(link[end].status), `${link[end].key} ${link[end].title}${how}`);
    button.onclick = () => { reveal(link[end]); details(link[end]); };
    return button;
  });
  say('Status', icon(task.status), phrase(task.status) + (task.isWaiting ? ', waiting' : ''));
  say('Priority', task.priority);
  say('Person', task.assignee);
  say('Estimate', task.effort);
  say('Logged', task.spent);
  say('Not before', task.notBefore === null ? '' : tell(task.notBefore));
  say('Due', task.due === null ? '' : tell(task.due) + (task.isOverdue ? ', overdue' : task.isLate ? ', projected to end late' : ''));
  say('Timeline', span(task));
  say('Part of', task.above ? `${task.above.key} ${task.above.title}` : '');
  say('Depends on', ...others(task.waits, 'to'));
  say('Needed by', ...others(task.holds, 'from'));
  at('d-list').replaceChildren(...rows);
  at('details').hidden = false;
}

function closeDetails() {
  at('details').hidden = true;
  if (current?.row?.isConnected) current.row.focus({ preventScroll: true });
}

function clearFilter() {
  for (const id of ['text', 'status', 'who', 'phase']) at(id).value = '';
  readFilter();
}

function readFilter() {
  for (const id of ['text', 'status', 'who', 'phase']) filter[id] = at(id).value.trim();
  filter.text = filter.text.toLowerCase();
  refresh();
}

function fillHead() {
  const { project } = data;
  document.title = `${project.key} ${project.name}`;
  at('name').textContent = project.name;
  const last = tasks.reduce((end, task) => (task.end !== null && task.end > end ? task.end : end), today);
  const about = [project.key, phrase(project.status), projectDue === null ? '' : `due ${tell(projectDue)}`, data.open_work ? `${data.open_work} of open work` : ''];
  if (tasks.some((task) => !task.isClosed)) about.push(`projected to ${tell(last)}`);
  at('about').textContent = about.filter(Boolean).join(' · ');
  at('made').textContent = `Created by Lakeplan at ${data.made_at.slice(0, 16).replace('T', ' ')} UTC from change ${data.seq}. Dates are in UTC.`;
  const meant = leaves.filter((task) => !['cancelled', 'archived'].includes(task.status) || task.end !== null);
  const done = meant.filter((task) => task.isClosed).length;
  const whole = node('button', { type: 'button', class: 'whole', 'data-status': 'completed' }, node('b', {}, `${done} of ${meant.length}`), node('span', {}, 'done'),
    node('progress', { max: meant.length || 1, value: done, 'aria-label': 'done' }));
  const tiles = [whole];
  for (const name of ['work', 'ready', 'waiting', 'stuck', 'late']) {
    const [words, test] = STANDINGS[name];
    const count = tasks.filter(test).length;
    if (name === 'stuck' && !count) continue;
    tiles.push(node('button', { type: 'button', 'data-status': name, class: name === 'late' && count ? 'late' : '' }, node('b', {}, `${name === 'late' && count ? '! ' : ''}${count}`), node('span', {}, words)));
  }
  for (const tile of tiles) tile.onclick = () => { at('status').value = filter.status === tile.dataset.status ? '' : tile.dataset.status; readFilter(); };
  at('tiles').replaceChildren(...tiles);
}

function fillFilter() {
  const option = (value, words) => node('option', { value }, words);
  const count = (test) => tasks.filter(test).length;
  const statuses = [...new Set(tasks.map((task) => task.status))];
  if (!statuses.includes('completed')) statuses.push('completed');
  at('status').append(option('', 'Any'),
    ...Object.entries(STANDINGS).map(([name, [words, test]]) => option(name, `${words} (${count(test)})`)),
    node('option', { disabled: '' }, '──────'),
    ...statuses.map((status) => option(status, `${phrase(status)} (${count((task) => task.status === status)})`)));
  const people = [...new Set(tasks.map((task) => task.assignee || '-'))].sort();
  at('who').append(option('', 'Any'), ...people.map((who) => option(who, who === '-' ? 'Unassigned' : who)));
  const phases = tasks.filter((task) => task.level === 1 && task.parts.length);
  at('phase').append(option('', 'Any'), ...phases.map((task) => option(task.place, `${task.key} ${task.title}`.slice(0, 60))));
}

function fillLegend() {
  const items = [
    ['done', 'completed'], ['underway', 'in progress: solid until today, then remaining work'],
    ['due', 'projected to end on the due date'], ['laid_out', 'projected by order and effort'], ['parts', 'span of its subtasks']];
  const sample = (...drawn) => svg('svg', { viewBox: '0 0 34 16', 'aria-hidden': 'true' }, ...drawn);
  const made = items.map(([basis, words]) => node('li', {}, sample(...shapes(basis, 1, 33, 17, 16)), words));
  made.push(node('li', {}, sample(milestone('due', 17, 16)), 'milestone'));
  made.push(node('li', {}, sample(svg('line', { class: 'todayline', x1: 17, x2: 17, y1: 0, y2: 16 })), 'today'),
    node('li', {}, sample(diamond(17, 16, false)), 'due date'), node('li', {}, sample(diamond(17, 16, true)), 'due date missed, or projected to be missed'));
  at('legend').replaceChildren(...made);
}

function onRowKey(event, task) {
  const [index, page] = [shown.indexOf(task), 10];
  const isOpen = task.row.getAttribute('aria-expanded') === 'true';
  const moves = {
    ArrowDown: () => focus(shown[index + 1]), ArrowUp: () => focus(shown[index - 1]),
    Home: () => focus(shown[0]), End: () => focus(shown[shown.length - 1]),
    PageDown: () => focus(shown[Math.min(index + page, shown.length - 1)]), PageUp: () => focus(shown[Math.max(index - page, 0)]),
    ArrowRight: () => (task.parts.length && !isOpen ? toggle(task, true) : task.parts.length && focus(shown[index + 1])),
    ArrowLeft: () => (task.parts.length && isOpen ? toggle(task, false) : focus(task.above)),
    Enter: () => details(task), ' ': () => details(task),
  };
  if (!moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return false;
  moves[event.key]();
  return true;
}

function onKey(event) {
  const typing = /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === 'Escape') { if (at('details').hidden) clearFilter(); else closeDetails(); return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const row = event.target.closest?.('.row');
  if (row && event.target === row && onRowKey(event, tasks[row.dataset.place])) { event.preventDefault(); return; }
  const others = {
    '/': () => at('text').focus(), '+': () => hasTimeline() && zoomTo(timeline.pixels * 1.4), '-': () => hasTimeline() && zoomTo(timeline.pixels / 1.4),
    f: () => hasTimeline() && zoomTo('fit'), t: () => hasTimeline() && zoomTo(timeline.pixels, todayDays()),
  };
  if (others[event.key]) { event.preventDefault(); others[event.key](); }
}

function listen() {
  const chart = at('chart');
  document.addEventListener('keydown', onKey);
  at('filter').addEventListener('input', readFilter);
  at('filter').addEventListener('submit', (event) => event.preventDefault());
  at('clear').onclick = clearFilter;
  at('close').onclick = closeDetails;
  at('expand').onclick = () => { shut.clear(); refresh(); };
  at('collapse').onclick = () => { for (const task of tasks) if (task.parts.length) shut.add(task); refresh(); };
  at('in').onclick = () => zoomTo(timeline.pixels * 1.4);
  at('out').onclick = () => zoomTo(timeline.pixels / 1.4);
  at('today').onclick = () => zoomTo(timeline.pixels, todayDays());
  at('zoom').onclick = (event) => event.target.dataset.zoom && zoomTo(event.target.dataset.zoom);
  at('views').onclick = (event) => event.target.dataset.view && view(event.target.dataset.view);
  at('rows').addEventListener('click', (event) => {
    const task = tasks[event.target.closest('.row')?.dataset.place];
    if (!task || dragged) return;
    if (event.target.closest('.twist') && task.parts.length) { toggle(task, shut.has(task)); return; }
    focus(task);
    details(task);
  });
  chart.addEventListener('wheel', (event) => {
    if (!event.ctrlKey || !hasTimeline()) return;
    event.preventDefault();
    zoomTo(timeline.pixels * (event.deltaY < 0 ? 1.2 : 1 / 1.2));
  }, { passive: false });
  let dragged = false;
  let hold = null;
  chart.addEventListener('pointerdown', (event) => {
    dragged = false;
    if (event.pointerType === 'touch' || event.button || !event.target.closest('.lane')) return;
    hold = { x: event.clientX + chart.scrollLeft, y: event.clientY + chart.scrollTop, at: event.clientX };
  });
  addEventListener('pointermove', (event) => {
    if (!hold || Math.abs(event.clientX - hold.at) < 4) return;
    dragged = true;
    chart.scrollTo(hold.x - event.clientX, hold.y - event.clientY);
  });
  addEventListener('pointerup', () => { hold = null; });
  const widen = (width) => chart.style.setProperty('--left', `${Math.min(Math.max(width, 160), chart.clientWidth - 120)}px`);
  const width = () => at('grip').parentElement.getBoundingClientRect().width;
  at('grip').addEventListener('pointerdown', (event) => at('grip').setPointerCapture(event.pointerId));
  at('grip').addEventListener('pointermove', (event) => at('grip').hasPointerCapture(event.pointerId) && widen(event.clientX - chart.getBoundingClientRect().left));
  at('grip').addEventListener('keydown', (event) => {
    const step = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
    if (step) widen(width() + step);
  });
  let seen = chart.clientWidth;
  new ResizeObserver(() => {
    if (chart.clientWidth !== seen && isOpening && hasTimeline()) zoomToOpen();
    seen = chart.clientWidth;
  }).observe(chart);
  WIDE.addEventListener('change', () => view(WIDE.matches ? 'both' : 'tree'));
  let before = null;
  addEventListener('beforeprint', () => { before = before || [chart.dataset.view, timeline.pixels]; view('both'); });
  addEventListener('afterprint', () => { if (before) { view(before[0]); if (before[0] !== 'tree') zoomTo(before[1]); } before = null; });
}

// A frame grows with its page, so the page must not grow with its frame.
document.documentElement.classList.toggle('framed', self !== top);
fillHead();
fillFilter();
fillLegend();
listen();
at('chart').dataset.view = 'tree';
refresh();
view(WIDE.matches ? 'both' : 'tree');
