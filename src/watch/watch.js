"use strict";

// What is known: trials in plan order, and what the page says once for all of them.
const known = { version: 0, head: null, counts: null, ranking: null, report: false };
let trials = [];
// Trials whose curves were chosen, and the colour of each trial that has one.
const pinned = new Set();
const colours = new Map();
const COLOURS = 6;
const BEHIND = 60;
const ROWS = 500;
let rowsShown = ROWS;
let order = { column: 0, descending: false };

const find = (id) => document.getElementById(id);
// Texts of files and of strangers are put in as text, and never as markup.
const make = (name, properties = {}, ...children) => {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element) element[key] = value; else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
};
const draw = (name, properties, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(properties)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  return element;
};
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };
const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const span = (seconds) =>
  seconds < 10 ? `${seconds.toFixed(1)} s` : seconds < 120 ? `${seconds.toFixed(0)} s`
    : seconds < 7200 ? `${(seconds / 60).toFixed(0)} min` : `${(seconds / 3600).toFixed(1)} h`;
const shown = (value) => known.head.is_loss ? value.toFixed(4) : `${(100 * value).toFixed(2)} %`;
const stateOf = (trial) => known.head.states[trial.state];
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

// --- what is new -------------------------------------------------------------------------------

const take = (news) => {
  if (news.whole) { trials = []; pinned.clear(); colours.clear(); }
  known.version = news.version;
  const changed = new Set();
  for (const part of ["counts", "ranking", "report"]) if (part in news) known[part] = news[part];
  if ("notice" in news) {
    say(find("notice"), news.notice ?? "");
    find("notice").hidden = !news.notice;
  }
  if (news.head) takeHead(news.head);
  for (const [index, state, [reason, place], epochs, planned, best, seconds, shared] of news.rows ?? []) {
    if (!trials[index]) continue;
    Object.assign(trials[index], { state, reason, place, epochs, planned, best, seconds, shared });
    changed.add(index);
  }
  let isGrown = Boolean(news.head);
  for (const [index, isAll, points] of news.curves ?? []) {
    if (!trials[index]) continue;
    trials[index].points = isAll ? points : trials[index].points.concat(points);
    isGrown = true;
  }
  if ("report" in news) find("to-report").hidden = !news.report;
  if (news.pictures) showPictures(news.pictures);
  if (!known.head) return;
  if (news.head) buildTable();
  if (news.head || changed.size) { fill(changed); arrange(); }
  if (news.counts || news.head) showState();
  if (news.ranking || news.counts || news.head) showRanking();
  if (isGrown || changed.size || news.ranking) later(showCurves);
};

const takeHead = (head) => {
  known.head = head;
  document.body.classList.remove("waiting");
  say(find("name"), head.name);
  say(find("description"), head.description);
  find("description").hidden = !head.description;
  const before = trials;
  trials = head.trials.map(([number, values, seed, fold], index) => ({
    state: 5, reason: "", place: "", epochs: 0, planned: null, best: null, seconds: null, shared: 0, points: [],
    ...before[index], index, number, values, seed, fold,
    words: head.names.map((name, axis) => [name, values[axis]]).filter(([, value]) => value)
      .concat(head.seeds > 1 ? [["seed", seed]] : [], head.folds > 1 ? [["fold", fold]] : [])
      .map(([name, value]) => `${name} = ${value}`).join(", "),
  }));
};

// --- state -------------------------------------------------------------------------------------

const showState = () => {
  const { states, epochs, planned, shared } = known.counts;
  const names = known.head.states;
  const all = states.reduce((sum, number) => sum + number, 0);
  const ended = states[0] + states[1] + states[2];
  say(find("summary"), ended === all
    ? `${all === 1 ? "The one trial has" : `All ${count(all, "trial")} have`} ended.`
    : `${ended.toLocaleString("en")} of ${count(all, "trial")} ${ended === 1 ? "has" : "have"} ended${states[3] ? `, ${states[3].toLocaleString("en")} ${states[3] === 1 ? "runs" : "run"} now` : ", and none runs now"}.`);
  const parts = names.map((name, state) => ({ name, state, number: states[state] })).filter((it) => it.number);
  const words = parts.map((it) => `${it.number} ${it.name}`).join(", ");
  const bar = find("bar");
  bar.setAttribute("aria-label", words);
  bar.replaceChildren(...parts.map((it) => {
    const part = make("span", { className: `state-${it.state}` });
    part.style.flexGrow = it.number;
    return part;
  }));
  const list = find("states");
  for (const it of names.map((name, state) => ({ name, state, number: states[state] }))) {
    let button = list.querySelector(`[data-state="${it.state}"]`);
    if (!button) {
      button = make("button", { type: "button", title: `Show the trials that are ${it.name}` });
      button.dataset.state = it.state;
      button.addEventListener("click", () => {
        find("wanted").value = String(it.state);
        rowsShown = ROWS;
        arrange();
        find("trials").scrollIntoView();
        find("wanted").focus({ preventScroll: true });
      });
      list.append(make("li", {}, button));
    }
    button.parentElement.hidden = !it.number;
    const text = `${it.number.toLocaleString("en")} ${it.name}`;
    if (button.dataset.text !== text) {
      button.dataset.text = text;
      button.replaceChildren(make("span", { className: `swatch state-${it.state}` }), text);
    }
  }
  say(find("epochs"), `${epochs.toLocaleString("en")} of ${count(planned, "epoch")} finished.`
    + (shared ? ` ${shared.toLocaleString("en")} of them ${shared === 1 ? "was" : "were"} taken over from trials that begin alike, and not trained again.` : "")
    + (known.head.left_out ? ` ${known.head.left_out}` : ""));
  document.title = `${ended}/${all} ${known.head.name}`;
  const select = find("wanted");
  if (select.options.length === 1) {
    names.forEach((name, state) => select.append(make("option", { value: String(state) }, name)));
  }
};

// --- ranking -----------------------------------------------------------------------------------

const isOver = () => trials.every((trial) => trial.state <= 2);
const showRanking = () => {
  const { settings, known: ranked, all } = known.ranking ?? { settings: [], known: 0, all: 0 };
  const [head, body] = [find("ranking").querySelector("thead"), find("ranking").querySelector("tbody")];
  const has = (key) => settings.some((setting) => setting[key] !== null && setting[key] !== "");
  const columns = ["#", "setting", "n", known.head.measure, ""]
    .concat(has("behind") ? ["behind the best", "verdict"] : [], has("test") ? ["test"] : []);
  head.replaceChildren(settings.length ? make("tr", {}, ...columns.map((name, index) =>
    make("th", { scope: "col", className: [0, 2, 3].includes(index) || ["behind the best", "test"].includes(name) ? "number" : index === 4 ? "plain" : "" },
      name || make("span", { className: "unseen" }, "interval")))) : "");
  const ends = settings.flatMap(({ mean, half }) => [mean - (half ?? 0), mean + (half ?? 0)]);
  // What is far behind would push all others together.
  const middle = settings[Math.floor(settings.length / 2)];
  const room = middle ? 3 * Math.abs(settings[0].mean - middle.mean) + Math.max(settings[0].half ?? 0, 1e-9) : 0;
  const near = ends.map((end) => Math.min(Math.max(end, settings[0].mean - room), settings[0].mean + room));
  const [least, greatest] = [Math.min(...near), Math.max(...near)];
  const at = (value) => 4 + 112 * Math.min(Math.max(greatest > least ? (value - least) / (greatest - least) : 0.5, 0), 1);
  body.replaceChildren(...settings.map((setting, rank) => {
    const chart = draw("svg", { class: "chart", width: 120, height: 14, viewBox: "0 0 120 14", "aria-hidden": "true" });
    const weak = setting.verdict === "worse" ? " weak" : "";
    if (setting.half) {
      chart.append(draw("line", { class: `whisker${weak}`, x1: at(setting.mean - setting.half), x2: at(setting.mean + setting.half), y1: 7, y2: 7 }));
    }
    chart.append(draw("circle", { class: `point${weak}`, cx: at(setting.mean), cy: 7, r: 3.5 }));
    const cells = [
      make("td", { className: "number" }, String(rank + 1)),
      make("td", { title: setting.label }, setting.label),
      make("td", { className: "number" }, setting.n < setting.of ? `${setting.n} of ${setting.of}` : String(setting.n)),
      make("td", { className: "number" }, setting.words),
      make("td", { className: "plain" }, chart),
    ];
    if (has("behind")) {
      cells.push(make("td", { className: "number" }, setting.behind ?? "–"), make("td", {}, setting.verdict || "–"));
    }
    if (has("test")) cells.push(make("td", { className: "number" }, setting.test ?? "–"));
    return make("tr", { className: rank === 0 ? "best" : "" }, ...cells);
  }));
  say(find("ranked"), settings.length
    ? `${ranked.toLocaleString("en")} of ${count(all, "setting")} ${ranked === 1 ? "has" : "have"} a completed trial`
      + `${settings.length < ranked ? `; the best ${settings.length} are here` : ""}. `
      + `Mean ± half of the 95 % interval over n completed trials. ${isOver() ? "The report says which differences are real." : "The order may change until all have ended."}`
    : "No trial is completed yet.");
};

// --- curves ------------------------------------------------------------------------------------

let isLater = false;
const later = (work) => {
  if (isLater) return;
  isLater = true;
  setTimeout(() => { isLater = false; work(); }, 0);
};

// Those in colours, in the order of the legend.
const chosen = () => {
  const withPoints = trials.filter((trial) => trial.points.length);
  if (pinned.size) return withPoints.filter((trial) => pinned.has(trial.index)).slice(0, COLOURS);
  const better = (a, b) => known.head.is_loss ? a.best[1] - b.best[1] : b.best[1] - a.best[1];
  const best = withPoints.filter((trial) => trial.best && trial.state === 0).sort(better);
  const running = withPoints.filter((trial) => trial.state === 3);
  return [...new Set([...best.slice(0, 1), ...running, ...best.slice(1)])].slice(0, COLOURS);
};

const colourAll = (coloured) => {
  const wanted = new Set(coloured.map((trial) => trial.index));
  for (const index of colours.keys()) if (!wanted.has(index)) colours.delete(index);
  const taken = new Set(colours.values());
  for (const index of wanted) {
    if (colours.has(index)) continue;
    let colour = 0;
    while (taken.has(colour)) colour += 1;
    taken.add(colour);
    colours.set(index, colour);
  }
};

// The range of the values: of losses that explode, what lies above three times the usual start is cut.
const range = (series) => {
  let least = Infinity;
  const peaks = [];
  for (const points of series) {
    let peak = -Infinity;
    for (const [, value] of points) { least = Math.min(least, value); peak = Math.max(peak, value); }
    if (points.length) peaks.push(peak);
  }
  if (!peaks.length) return null;
  peaks.sort((a, b) => a - b);
  const usual = peaks[Math.floor(peaks.length / 2)];
  return [least, Math.min(peaks.at(-1), least + 3 * Math.max(usual - least, 1e-9))];
};
const roundStep = (step) => {
  const power = 10 ** Math.floor(Math.log10(step));
  return ([1, 2, 5].find((times) => times * power >= step * 0.999) ?? 10) * power;
};
const ticks = (least, greatest, wanted) => {
  const step = roundStep((greatest - least) / wanted);
  const decimals = Math.max(-Math.floor(Math.log10(step)), 0);
  const found = [];
  for (let index = Math.ceil(least / step); index <= Math.floor(greatest / step) && found.length < 50; index += 1) {
    found.push([index * step, (index * step).toFixed(decimals).replace("-", "−")]);
  }
  return found;
};
// Places near the wanted ones that are apart from each other.
const apart = (wanted, gap, top, bottom) => {
  const sorted = wanted.map((_, index) => index).sort((a, b) => wanted[a] - wanted[b]);
  const places = [];
  let least = top;
  for (const index of sorted) { places[index] = Math.max(wanted[index], least); least = places[index] + gap; }
  let most = Math.max(bottom, top + gap * (wanted.length - 1));
  for (const index of sorted.reverse()) { places[index] = Math.min(places[index], most); most = places[index] - gap; }
  return places;
};

const showCurves = () => {
  const coloured = chosen();
  colourAll(coloured);
  const others = trials.filter((trial) => trial.points.length && !colours.has(trial.index));
  const every = Math.max(Math.ceil(others.length / BEHIND), 1);
  const behind = others.filter((_, index) => index % every === 0);
  find("legend").replaceChildren(
    ...coloured.map((trial) => make("li", {},
      make("span", { className: `swatch s${colours.get(trial.index)}` }),
      `trial ${trial.number}${trial.words ? ` (${trial.words})` : ""}: ${stateOf(trial)}${trial.best ? `, best ${shown(trial.best[1]).replace(" ", "\u00a0")}` : ""}`)),
    ...(others.length ? [make("li", {}, make("span", { className: "swatch rest" }), count(others.length, "other trial"))] : []));
  const longest = coloured.concat(behind).reduce((most, trial) =>
    Math.max(most, trial.state <= 2 ? trial.epochs : trial.planned ?? trial.epochs), 2);
  const figures = [...document.querySelectorAll("#curves figure")];
  // The points of one score of a trial: epoch and value.
  const of = (trial, score, factor) =>
    trial.points.filter((point) => point[score + 1] !== null).map((point) => [point[0], factor * point[score + 1]]);
  for (const figure of figures) {
    const score = Number(figure.dataset.score);
    const factor = score % 2 ? 100 : 1;
    const all = (which) => coloured.concat(behind).map((trial) => of(trial, which, factor));
    const own = all(score);
    const limits = own.some((points) => points.length) ? range(own.concat(all(Number(figure.dataset.other)))) : null;
    figure.classList.toggle("empty", !limits);
    if (limits) drawChart(figure, coloured, behind, own, limits, longest);
  }
  // The buttons in the table are in the colours of the curves.
  for (const trial of trials) {
    if (!trial.button) continue;
    const colour = colours.has(trial.index) ? `key s${colours.get(trial.index)}` : "key";
    if (trial.button.className !== colour) trial.button.className = colour;
  }
};

const drawChart = (figure, coloured, behind, series, [low, high], longest) => {
  const room = high > low ? 0.04 * (high - low) : Math.max(Math.abs(low), 1e-3) * 0.1;
  const [least, greatest] = [low - room, high + room];
  const [top, bottom] = [10, 206];
  const yTicks = ticks(least, greatest, 5);
  const left = 14 + Math.max(...yTicks.map(([, text]) => text.length), 1) * 6.2;
  const right = 400 - 12 - Math.max(...coloured.map((trial) => String(trial.number).length * 6.6), 0);
  const x = (epoch) => left + (right - left) * (epoch - 1) / Math.max(longest - 1, 1);
  const y = (value) => bottom - (bottom - top) * Math.min(Math.max((value - least) / (greatest - least), 0), 1);
  const place = ([epoch, value]) => `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`;
  const parts = [];
  for (const [value, text] of yTicks) {
    parts.push(draw("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
    parts.push(draw("text", { class: "soft end", x: left - 4, y: y(value) + 3.5 }, text));
  }
  for (const [value, text] of ticks(1, Math.max(longest, 2), 5)) {
    if (Number.isInteger(value)) parts.push(draw("text", { class: "soft middle", x: x(value), y: bottom + 15 }, text));
  }
  parts.push(draw("text", { class: "soft middle", x: (left + right) / 2, y: bottom + 28 }, "epoch"));
  behind.forEach((_, index) => {
    const points = series[coloured.length + index];
    if (points.length > 1) parts.push(draw("polyline", { class: "rest", points: points.map(place).join(" ") }));
  });
  coloured.forEach((trial, index) => {
    const points = series[index];
    if (!points.length) return;
    const colour = `s${colours.get(trial.index)}`;
    const line = points.length > 1
      ? draw("polyline", { class: `curve ${colour}`, points: points.map(place).join(" ") })
      : draw("circle", { class: `dot ${colour}`, cx: x(points[0][0]), cy: y(points[0][1]), r: 3 });
    line.append(draw("title", {}, `trial ${trial.number}${trial.words ? `: ${trial.words}` : ""}`));
    parts.push(line);
  });
  const named = coloured.map((trial, index) => [trial, series[index].at(-1)]).filter(([, end]) => end);
  // Only names that end beside each other are in each other's way.
  const places = [];
  const across = named.map((_, index) => index).sort((a, b) => named[a][1][0] - named[b][1][0]);
  for (let from = 0; from < across.length;) {
    let to = from + 1;
    while (to < across.length && x(named[across[to]][1][0]) - x(named[across[to - 1]][1][0]) < 26) to += 1;
    const group = across.slice(from, to);
    apart(group.map((index) => y(named[index][1][1])), 12, top + 4, bottom).forEach((place, at) => { places[group[at]] = place; });
    from = to;
  }
  named.forEach(([trial, end], index) => {
    const edge = x(end[0]);
    if (Math.abs(places[index] - y(end[1])) > 6) {
      parts.push(draw("line", { class: "grid", x1: edge + 1, y1: y(end[1]), x2: edge + 6, y2: places[index] }));
    }
    parts.push(draw("text", { class: `halo s${colours.get(trial.index)}`, x: edge + 8, y: places[index] + 3.5 }, String(trial.number)));
  });
  const chart = figure.querySelector("svg");
  chart.replaceChildren(...parts);
  const title = figure.querySelector("figcaption").textContent;
  const words = named.map(([trial, [epoch, value]]) => `trial ${trial.number} ${value.toPrecision(4)} in epoch ${epoch}`);
  chart.setAttribute("aria-label", `${title}: ${words.join("; ")}`);
};

// --- trials ------------------------------------------------------------------------------------

// The columns: what they are called, the value that they are sorted by, and what a cell holds.
let columns = [];
const compare = (a, b) =>
  typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true });

const buildTable = () => {
  const { names, axes, seeds, folds, measure } = known.head;
  const isNumber = true;
  const number = (text) => text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  columns = [
    { name: "trial", isNumber, value: (trial) => trial.number },
    ...names.map((name, axis) => ({ name, title: axes[axis], value: (trial) => number(trial.values[axis] ?? ""), text: (trial) => trial.values[axis] || "–" })),
    ...(seeds > 1 ? [{ name: "seed", isNumber, value: (trial) => number(trial.seed), text: (trial) => trial.seed }] : []),
    ...(folds > 1 ? [{ name: "fold", isNumber, value: (trial) => number(trial.fold), text: (trial) => trial.fold }] : []),
    { name: "state", value: (trial) => trial.state, text: (trial) => [stateOf(trial), trial.place && ` on ${trial.place}`].join("") },
    { name: "epochs", isNumber, className: "number epochs", value: (trial) => trial.epochs, text: (trial) => trial.planned ? `${trial.epochs}/${trial.planned}` : String(trial.epochs) },
    { name: `best ${measure}`, isNumber, value: (trial) => trial.best?.[1] ?? "", text: (trial) => trial.best ? shown(trial.best[1]) : "–" },
    { name: "in epoch", isNumber, value: (trial) => trial.best?.[0] ?? "", text: (trial) => trial.best ? String(trial.best[0]) : "–" },
    { name: "time", isNumber, value: (trial) => trial.seconds ?? "", text: (trial) => trial.seconds === null ? "–" : span(trial.seconds) },
    { name: "reason", isWide: true, value: (trial) => trial.reason, text: (trial) => trial.reason },
  ];
  const head = find("trials").querySelector("thead");
  const before = document.activeElement?.dataset?.column;
  order.column = Math.min(order.column, columns.length - 1);
  head.replaceChildren(make("tr", {}, ...columns.map((column, index) => {
    const button = make("button", { type: "button" }, column.name);
    button.dataset.column = index;
    button.addEventListener("click", () => {
      order = { column: index, descending: order.column === index && !order.descending };
      sortMarks();
      arrange();
    });
    return make("th", { scope: "col", className: column.isNumber ? "number" : "", title: column.title ?? "" }, button);
  })));
  if (before !== undefined) head.querySelector(`[data-column="${before}"]`)?.focus();
  sortMarks();
  for (const trial of trials) {
    const button = make("button", { type: "button", className: "key", title: "Draw the curves of this trial" }, String(trial.number));
    button.setAttribute("aria-pressed", String(pinned.has(trial.index)));
    button.setAttribute("aria-label", `curves of trial ${trial.number}`);
    button.addEventListener("click", () => pin(trial));
    trial.button = button;
    trial.cells = columns.map((column, index) => make("td", { className: column.className ?? (column.isNumber ? "number" : column.isWide ? "reason" : "") }, ...(index ? [] : [button])));
    trial.row = make("tr", {}, ...trial.cells);
  }
  fill(trials.keys());
};
const sortMarks = () => {
  find("trials").querySelectorAll("thead th").forEach((head, index) => {
    if (index === order.column) head.setAttribute("aria-sort", order.descending ? "descending" : "ascending");
    else head.removeAttribute("aria-sort");
  });
};

// Writes the cells of these trials, as far as they say something else.
const fill = (indices) => {
  for (const index of indices) {
    const trial = trials[index];
    const texts = columns.map((column) => column.text?.(trial) ?? "");
    texts.forEach((text, column) => {
      const cell = trial.cells[column];
      if (columns[column].name === "state") {
        const className = `state state-${trial.state}`;
        if (cell.className !== className) cell.className = className;
      }
      if (columns[column].name === "epochs") {
        const part = trial.state === 3 && trial.planned ? `${Math.round(100 * Math.min(trial.epochs / trial.planned, 1))}%` : "";
        if (cell.style.getPropertyValue("--part") !== part) cell.style.setProperty("--part", part);
      }
      if (column && cell.textContent !== text) {
        cell.textContent = text;
        if (!columns[column].isWide) cell.title = text;
      }
    });
    trial.text = `${trial.number} ${trial.words} ${texts.join(" ")}`.toLowerCase();
  }
};

// Sorts and filters the rows.
const arrange = () => {
  if (!columns.length) return;
  const words = find("words").value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = find("wanted").value;
  const matching = trials.filter((trial) =>
    (wanted === "" || trial.state === Number(wanted)) && words.every((word) => trial.text.includes(word)));
  const { value } = columns[order.column];
  const keys = new Map(matching.map((trial) => [trial, value(trial)]));
  matching.sort((a, b) => {
    const [first, second] = [keys.get(a), keys.get(b)];
    // What has no value comes last.
    if (first === "" || second === "") return (first === "") - (second === "") || a.index - b.index;
    return (order.descending ? compare(second, first) : compare(first, second)) || a.index - b.index;
  });
  const rows = matching.slice(0, rowsShown).map((trial) => trial.row);
  const body = find("trials").querySelector("tbody");
  // Rows that are in their place stay there, and so does the keyboard's focus.
  const isSame = rows.length === body.rows.length && rows.every((row, index) => body.rows[index] === row);
  if (!isSame) {
    const focus = document.activeElement;
    const had = body.contains(focus);
    body.replaceChildren(...rows);
    if (had && body.contains(focus)) focus.focus({ preventScroll: true });
  }
  const note = find("listed");
  const hidden = matching.length - rows.length;
  const text = matching.length === trials.length && !hidden ? `${count(trials.length, "trial")}.`
    : `${count(matching.length, "trial")} of ${trials.length.toLocaleString("en")}${hidden ? `, the first ${rows.length.toLocaleString("en")} shown. ` : "."}`;
  if (note.dataset.text !== text) {
    note.dataset.text = text;
    note.replaceChildren(text);
    if (hidden) {
      const more = make("button", { type: "button", className: "more" }, "Show all");
      more.addEventListener("click", () => { rowsShown = Infinity; arrange(); });
      note.append(more);
    }
  }
};

const pin = (trial) => {
  if (!pinned.delete(trial.index)) pinned.add(trial.index);
  // The one that was chosen first goes.
  if (pinned.size > COLOURS) pinned.delete(pinned.values().next().value);
  showPins();
};
const showPins = () => {
  for (const trial of trials) trial.button?.setAttribute("aria-pressed", String(pinned.has(trial.index)));
  find("unpin").hidden = !pinned.size;
  showCurves();
};
find("unpin").addEventListener("click", () => { pinned.clear(); showPins(); find("words").focus(); });
find("words").addEventListener("input", () => { rowsShown = ROWS; arrange(); });
find("wanted").addEventListener("change", () => { rowsShown = ROWS; arrange(); });

// --- pictures ----------------------------------------------------------------------------------

const showPictures = (pictures) => {
  find("pictures").hidden = find("to-pictures").hidden = !pictures.length;
  const before = new Map([...find("album").children].map((item) => [item.dataset.key, item]));
  find("album").replaceChildren(...pictures.map(([number, name, edition]) => {
    const key = `${number}.${edition}`;
    if (before.has(key)) return before.get(key);
    const address = `picture/${number}?${edition}`;
    const picture = make("img", { src: address, alt: name, loading: "lazy" });
    const item = make("li", {}, make("a", { href: address, target: "_blank", rel: "noopener" }, picture), make("span", {}, name));
    item.dataset.key = key;
    return item;
  }));
};

// --- asking ------------------------------------------------------------------------------------

const OFTEN = 1000;
const SELDOM = 5000;
let timer = null;
let failures = 0;
const link = (text, className) => {
  say(find("link"), text);
  find("link").className = `link ${className}`;
};
const ask = async () => {
  clearTimeout(timer);
  try {
    const answer = await fetch(`data?since=${known.version}`, { cache: "no-store" });
    if (answer.status === 403) return link("wick watch was started again: open the address that it printed", "lost");
    if (!answer.ok) throw new Error(answer.statusText);
    take(await answer.json());
    failures = 0;
    link("live", "live");
  } catch (error) {
    failures += 1;
    if (failures > 1) link("no answer: wick watch has ended, or cannot be reached", "lost");
  }
  timer = setTimeout(ask, document.hidden || failures > 5 ? SELDOM : OFTEN);
};
document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
ask();
