"use strict";
// Moves a cursor over the records of a trace. It computes no derivative: every number here was recorded by the engine.
(() => {
  const app = document.getElementById("app");
  const records = JSON.parse(document.getElementById("records").textContent);
  const { nodes, events, sentences, files, turn, root } = records;
  const last = events.length;
  const $ = (id) => document.getElementById(id);
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // Cards share what they say of a node and of its edges.
  const named = (fields, values) => Object.fromEntries(fields.map((field, i) => [field, values[i]]));
  function cardAt(position) {
    const [head, edges] = records.cards[position];
    return { ...named(records.headFields, records.heads[head]), edges: edges.map((edge) => named(records.edgeFields, records.edges[edge])) };
  }

  // --- state: the gradient of every node after the first k events, as shown and exactly

  let k = 0;
  const grads = nodes.map(() => ["0", "0.0"]);
  let chosen = null; // a node, or the event of an edge: {node} or {event}
  const mode = { why: false, predict: false };
  let pending = null; // the event that is to be predicted

  function moveState(to) {
    while (k < to) {
      const event = events[k++];
      if (event.length > 1) grads[event[2]] = [event[5], event[6]];
      if (k === turn) grads[root] = records.upstream;
    }
    while (k > to) {
      if (k === turn) grads[root] = ["0", "0.0"];
      const event = events[--k];
      if (event.length > 1) grads[event[2]] = [event[3], event[4]];
    }
  }

  // --- small helpers for the document: text only, never markup

  function make(tag, attributes = {}, ...content) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick") element.addEventListener("click", value);
      else if (value !== null) element.setAttribute(name, value);
    }
    element.append(...content);
    return element;
  }

  const link = (text, label, action) => make("button", { type: "button", class: "link", "aria-label": label, onclick: action }, text);
  const toStep = (event) => link(`${event + 1}`, `Go to step ${event + 1}`, () => go(event + 1));

  // --- the graph

  // A view is one picture of the graph. A box stands for a node, or for all nodes of a neuron or layer; an arrow for an
  // edge, or for all edges between two boxes.
  const views = [...app.querySelectorAll(".view")].map((element) => {
    const view = { element, svg: element.querySelector("svg"), boxes: [], arrows: [], boxOf: [], scale: 1 };
    const byName = new Map();
    for (const group of element.querySelectorAll("g.node")) {
      const box = { group, nodes: group.dataset.nodes.split(" ").map(Number), grad: group.querySelector(".grad"),
        lines: [...group.querySelectorAll("text")], title: group.querySelector("title") };
      byName.set(group.dataset.box, box);
      for (const node of box.nodes) view.boxOf[node] = box;
      group.addEventListener("click", () => chooseBox(box));
      for (const [on, off] of [["mouseenter", "mouseleave"], ["focus", "blur"]]) {
        group.addEventListener(on, () => near(view, box, true));
        group.addEventListener(off, () => near(view, box, false));
      }
    }
    view.boxes = [...new Set(view.boxOf)]; // in topological order
    const byEnds = new Map();
    for (const group of element.querySelectorAll("g.edge")) {
      const { tail, head, slot } = group.dataset;
      const arrow = { group, tail: byName.get(tail), head: byName.get(head), slot: slot === undefined ? null : Number(slot), events: [] };
      view.arrows.push(arrow);
      if (!byEnds.has(arrow.tail)) byEnds.set(arrow.tail, []);
      byEnds.get(arrow.tail).push(arrow);
      group.addEventListener("click", () => choose(!arrow.events.length ? { node: arrow.tail.nodes[0] } :
        { event: arrow.events.includes(k - 1) ? k - 1 : arrow.events[0], along: arrow.events }));
    }
    view.arrowsOf = ([node, slot, parent]) => (byEnds.get(view.boxOf[parent]) ?? []).filter((arrow) =>
      arrow.head === view.boxOf[node] && (arrow.slot === null || arrow.slot === slot));
    events.forEach((event, i) => event.length > 1 && view.arrowsOf(event).forEach((arrow) => arrow.events.push(i)));
    return view;
  });
  let view = views[0] ?? { boxes: [], arrows: [], boxOf: [], arrowsOf: () => [] }; // too large to be drawn

  function near({ arrows }, box, isOn) {
    box.group.classList.toggle("near", isOn);
    for (const arrow of arrows)
      if (arrow.head === box || arrow.tail === box)
        for (const element of [arrow.group, arrow.head.group, arrow.tail.group]) element.classList.toggle("near", isOn);
  }

  // A number at the end of its line, as wide as the line was: boxes do not move.
  function setRow(text, name, number) {
    if (!text) return;
    const width = (text.dataset.width ??= String([...text.textContent].length));
    text.textContent = name + "\u00a0".repeat(Math.max(1, width - name.length - number.length)) + number;
  }

  function drawGraph() {
    const event = k ? events[k - 1] : null;
    app.classList.toggle("forward", k < turn);
    for (const box of view.boxes) {
      const { classList } = box.group, [first] = box.nodes, isWaiting = box.nodes.every((i) => i >= k);
      const isUnknown = box.nodes.some((i) => i >= k);
      classList.toggle("waiting", isWaiting);
      classList.toggle("unknown", isUnknown);
      classList.toggle("now", event !== null && box.nodes.includes(event[0]));
      classList.toggle("receives", event !== null && box.nodes.includes(event[2]));
      classList.toggle("final", k >= turn && box.nodes.every((i) => nodes[i].arrivals.every((arrival) => arrival < k)));
      classList.toggle("chosen", chosen !== null && box.nodes.includes(chosen.node));
      if (box.nodes.length === 1) {
        box.group.dataset.grad = grads[first][1];
        setRow(box.grad, "grad", k < turn ? "" : grads[first][0]);
      }
      const said = box.lines.filter((line) => !line.classList.contains("data") || !isUnknown).filter((line) =>
        !line.classList.contains("grad") || k >= turn);
      // its name for those who listen, and what a pointer shows
      box.title.textContent = said.map((line) => line.textContent.replace(/\u00a0+/g, " ").trim()).join(" ") +
        (isWaiting ? ", not computed yet" : "");
    }
    for (const arrow of view.arrows) {
      arrow.group.classList.toggle("waiting", arrow.events.every((i) => events[i][0] >= k));
      arrow.group.classList.toggle("passed", arrow.events.length > 0 && arrow.events.every((i) => i < k));
      arrow.group.classList.toggle("now", arrow.events.includes(k - 1));
      arrow.group.classList.toggle("chosen", chosen !== null && arrow.events.includes(chosen.event));
    }
    if (event) keepInView(view.boxOf[event[0]]);
  }

  function keepInView(shown) {
    if (!shown) return;
    const pane = $("graph"), frame = pane.getBoundingClientRect(), box = shown.group.getBoundingClientRect();
    const by = (low, high, min, max) => (low < min ? low - min : high > max ? high - max : 0);
    pane.scrollBy({
      left: by(box.left - 20, box.right + 20, frame.left, frame.right),
      top: by(box.top - 20, box.bottom + 20, frame.top, frame.bottom),
      behavior: still.matches ? "auto" : "smooth",
    });
  }

  // One box takes part in the tab order; arrows up and down pass the place on, in topological order.
  let roving = null;
  function rove(box) {
    roving?.group.setAttribute("tabindex", "-1");
    roving = box;
    roving?.group.setAttribute("tabindex", "0");
  }
  function roveBy(change) {
    let i = view.boxes.indexOf(roving) + change;
    while (view.boxes[i]?.group.classList.contains("constant") && app.classList.contains("no-constants")) i += change;
    if (!view.boxes[i]) return;
    rove(view.boxes[i]);
    roving.group.focus();
  }

  // The same moment in another picture: every node, or neurons or layers as one box.
  function show(name) {
    view = views.find(({ element }) => element.dataset.view === name) ?? view;
    for (const { element } of views) element.hidden = element !== view.element;
    for (const choice of app.querySelectorAll("[data-show]")) choice.setAttribute("aria-pressed", String(choice.dataset.show === name));
    rove(view.boxes[0]);
    resize(Math.max(fitting(), 0.65)); // smaller cannot be read: then it scrolls
    find($("find").value);
    drawGraph();
    light();
  }

  // --- the card

  const hidden = (text) => (pending === null ? text : "?");

  function drawCard() {
    const position = pending === null ? k : k + 1, card = cardAt(position);
    const parts = [make("p", { class: "equation" }, card.equation)];
    if (card.place) parts.push(make("p", { class: "place" }, `${card.place}  `, make("code", {}, card.code)));
    const facts = make("dl", { class: "facts" });
    const fact = (name, text, style = null) => text && facts.append(make("dt", {}, name), make("dd", { class: style }, text));
    $("step-title").textContent = position ? `Step ${position} of ${last}, ${card.sweep}` : "Start";
    fact("value", card.value);
    fact("operands", card.operands.join(", "));
    fact("upstream", card.upstream && `${card.upstream}${card.edges.length ? "  (final)" : "  (the backward sweep starts here)"}`);
    fact("note", card.note, "note");
    parts.push(facts);
    if (card.edges.length) parts.push(edgeTable(card));
    $("card").replaceChildren(...parts);
  }

  function edgeTable(card) {
    const current = (pending === null ? k : k + 1) - 1;
    const rows = card.edges.map((edge) => {
      if (edge.status === "left out")
        return make("tr", { class: "to-come" }, make("td", { colspan: "5" }, `… ${edge.event} more edges …`));
      const isCurrent = edge.event === current;
      const shown = (text) => (isCurrent ? hidden(text) : text);
      const arrival = make("td", {}, edge.status === "done" ? shown(edge.arrival) : "to come");
      if (edge.flag && !(isCurrent && pending !== null)) arrival.append(make("span", { class: "flag" }, ` ${edge.flag}`));
      return make("tr", { class: isCurrent ? "current" : edge.status === "done" ? "done" : "to-come" },
        make("td", {}, `${isCurrent ? "▶ " : ""}${edge.parent}`),
        make("td", {}, `${edge.partial} = ${edge.rule ? `${edge.rule} = ` : ""}${edge.number}`),
        make("td", {}, isCurrent && pending !== null ? edge.arithmetic.replace(/=.*/, "= ?") : edge.arithmetic),
        make("td", {}, shown(edge.gradient.replace("->", "→"))), arrival);
    });
    const head = ["to", "partial", "× upstream", "gradient", "received"].map((text) => make("th", { scope: "col" }, text));
    return make("div", { class: "edges-scroll", tabindex: "0", role: "region", "aria-label": "Edges of this node" },
      make("table", { class: "edges" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)));
  }

  // --- what is chosen: a node and why its gradient is what it is, or one contribution

  function choose(what) {
    chosen = what;
    keepingFocus(drawChosen);
    drawGraph();
    light();
    for (const item of lines.values()) item.classList.remove("chosen");
    if (chosen?.node === undefined) return;
    rove(view.boxOf[chosen.node]);
    keepInView(view.boxOf[chosen.node]);
    const item = lines.get(nodes[chosen.node].source.join(" "));
    item?.classList.add("chosen");
    if (item) scrollWithin($("source"), item);
  }

  // What was pressed may be gone afterwards: keys shall still arrive.
  function keepingFocus(action) {
    const hadFocus = app.contains(document.activeElement);
    action();
    if (hadFocus && !app.contains(document.activeElement)) app.focus({ preventScroll: true });
  }

  function chooseBox(box) {
    choose({ node: box.nodes.at(-1), box: box.nodes.length > 1 ? box : null });
  }

  // What a box of several nodes hides.
  function members(box) {
    const shown = box.nodes.slice(0, 24).map((i) => make("li", {}, link(nodes[i].name, `Choose ${nodes[i].name}`, () => choose({ node: i })),
      ` ${nodes[i].equation}`));
    if (box.nodes.length > shown.length) shown.push(make("li", {}, `… ${box.nodes.length - shown.length} more`));
    return [make("p", {}, `One of ${box.nodes.length} nodes in this box:`), make("ul", { class: "sum" }, ...shown)];
  }

  function drawChosen() {
    const pane = $("explanation");
    if (chosen === null) {
      pane.replaceChildren(make("p", { class: "hint" }, "Choose a node or an edge in the graph."));
      return;
    }
    pane.replaceChildren(...(chosen.node === undefined ? contribution(chosen.event, chosen.along) : explanation(chosen.node)),
      ...(chosen.box ? members(chosen.box) : []));
  }

  // What is to be predicted is not told before.
  const isSecret = (event) => mode.predict && event >= k;
  const told = (event) => (isSecret(event) ? "?" : events[event][7]);

  // An arrow between boxes of several nodes stands for many.
  function contribution(i, all) {
    const [node, , parent] = events[i];
    const when = i < k ? "done" : "to come";
    const parts = [make("p", { class: "equation" }, `${nodes[node].name} → ${nodes[parent].name}`),
      make("p", {}, isSecret(i) ? "Not told while you predict." : sentences[i + 1].replace(/^[^.]*\. /, "")),
      make("p", {}, `This is step `, toStep(i), ` (${when}).`)];
    if (all.length > 1) parts.push(make("p", {}, `One of ${all.length} contributions along this arrow: steps `,
      ...all.slice(0, 24).flatMap((event) => [toStep(event), " "]), all.length > 24 ? ` and ${all.length - 24} more.` : ""));
    return parts;
  }

  function explanation(i) {
    const node = nodes[i];
    const parts = [make("p", { class: "equation" }, node.equation)];
    const facts = make("dl", { class: "facts" });
    const fact = (name, ...content) => facts.append(make("dt", {}, name), make("dd", {}, ...content));
    const { place } = cardAt(i + 1);
    if (place) fact("made in", place);
    fact("data", i < k ? node.data[0] : "not computed yet");
    if (node.kind === "constant") {
      fact("gradient", "none: a constant");
      return [...parts, facts];
    }
    const arrived = node.arrivals.filter((event) => event < k).length, all = node.arrivals.length;
    const state = arrived === all && k >= turn ? "final" : `${arrived} of ${all} contributions`;
    fact("gradient", `${grads[i][0]}  (${state})`);
    fact("computed in", toStep(i));
    parts.push(facts);
    if (!all) return [...parts, make("p", { class: "hint" }, "The backward sweep starts here.")];
    const terms = node.arrivals.slice(0, 40).map((event) => {
      return make("li", { class: event < k ? "done" : "to-come" }, toStep(event), ` ${told(event)} from ${nodes[events[event][0]].equation}`,
        event < k ? "" : "  (to come)");
    });
    if (all > 40) terms.push(make("li", {}, `… ${all - 40} more`));
    parts.push(make("p", {}, `d${records.loss}/d${node.name} is the sum of:`), make("ul", { class: "sum" }, ...terms));
    return parts;
  }

  // In why mode the largest paths from the loss to the chosen node (or to the one at work) are lit.
  function light() {
    const event = k ? events[k - 1] : null;
    const target = chosen?.node ?? (chosen ? events[chosen.event][2] : event ? event[2] ?? event[0] : root);
    app.classList.toggle("why-mode", mode.why);
    for (const element of app.querySelectorAll("svg .lit")) element.classList.remove("lit");
    if (!mode.why) return;
    view.boxOf[target]?.group.classList.add("lit");
    for (const path of nodes[target].paths)
      for (const step of path) {
        const [node, , parent] = events[step];
        for (const shown of [view.boxOf[node], view.boxOf[parent], ...view.arrowsOf(events[step])]) shown?.group.classList.add("lit");
      }
  }

  // --- source and table

  const lines = new Map(); // list items by "file line"
  function buildSource() {
    const makers = new Map(); // the nodes that each line made
    nodes.forEach((node, i) => {
      const place = node.source.join(" ");
      if (place) makers.set(place, [...(makers.get(place) ?? []), i]);
    });
    files.forEach((file, f) => {
      const items = [];
      let before = null;
      for (const [number, text] of file.lines) {
        if (before !== null && number > before + 1) items.push(make("li", { class: "gap" }, "   …"));
        const made = makers.get(`${f} ${number}`) ?? [];
        const title = made.length > 1 ? `choose the next of ${made.length} nodes made here` : `choose ${nodes[made[0]]?.name}`;
        const next = () => choose({ node: made[(made.indexOf(chosen?.node) + 1) % made.length] });
        const code = text.trimStart(), indent = text.slice(0, text.length - code.length);
        const item = make("li", {}, make("span", { class: "number", "aria-hidden": "true" }, `${number}`), indent, made.length ?
          make("button", { type: "button", title, onclick: next }, code) : code);
        lines.set(`${f} ${number}`, item);
        items.push(item);
        before = number;
      }
      $("source").append(make("h3", {}, file.name), make("ol", {}, ...items));
    });
    if (!files.length) $("source").append(make("p", { class: "hint" },
      "Not known. Build the graph under engine.record_source() to see the lines that made it."));
  }

  const rows = [...app.querySelectorAll("#steps tbody tr")];
  function buildTable() {
    rows.forEach((row, i) => row.cells[0].replaceChildren(toStep(i)));
  }

  let placed = last; // where the rows say we are
  function drawPlaces() {
    const event = k ? events[k - 1] : null;
    for (const item of lines.values()) item.classList.remove("current");
    if (event) {
      const item = lines.get(nodes[event[0]].source.join(" "));
      item?.classList.add("current");
      if (item) scrollWithin($("source"), item);
    }
    // only what changes: there may be thousands
    for (let i = Math.min(placed, k); i < Math.max(placed, k); i++) rows[i].classList.toggle("after", i >= k);
    rows[placed - 1]?.classList.remove("current");
    rows[placed - 1]?.removeAttribute("aria-current");
    rows[k - 1]?.classList.add("current");
    rows[k - 1]?.setAttribute("aria-current", "step");
    placed = k;
    if (k) scrollWithin($("steps"), rows[k - 1]);
  }

  function scrollWithin(pane, element) {
    const frame = pane.getBoundingClientRect(), box = element.getBoundingClientRect();
    if (box.top < frame.top + 30) pane.scrollTop += box.top - frame.top - 30;
    else if (box.bottom > frame.bottom) pane.scrollTop += box.bottom - frame.bottom;
  }

  // --- moving

  function go(to, { announce = true } = {}) {
    pending = null;
    $("verdict").textContent = "";
    moveState(Math.min(Math.max(to, 0), last));
    draw(announce);
  }

  function draw(announce = true) {
    drawGraph();
    keepingFocus(() => {
      drawCard();
      drawChosen();
    });
    drawPlaces();
    light();
    drawGuess();
    const position = `step ${k} of ${last}`;
    $("position").textContent = position;
    $("scrubber").value = k;
    $("scrubber").setAttribute("aria-valuetext", position);
    app.dataset.step = k;
    if (announce) $("live").textContent = sentences[k];
    for (const [name, isOff] of [["start", !k], ["back", !k], ["node-back", !k], ["on", k === last], ["node-on", k === last], ["end", k === last]])
      button(name).disabled = isOff;
    try {
      if (location.hash || k) history.replaceState(null, "", `#step=${k}`);
    } catch { /* a frame without an address of its own */ }
  }

  const button = (name) => app.querySelector(`[data-do="${name}"]`);

  // The events of a node in the backward sweep stand side by side; in the forward sweep each is one.
  function afterNode() {
    let to = k + 1;
    while (k >= turn && to < last && events[to][0] === events[k][0]) to++;
    return to;
  }
  function beforeNode() {
    let to = k - 1;
    while (k > turn && to > turn && events[to - 1][0] === events[k - 1][0]) to--;
    return to;
  }

  function stepOn() {
    if (k < last && mode.predict && pending === null && events[k].length > 1) {
      pending = k;
      draw(false);
      $("answer").focus();
    } else go(k + 1);
  }

  // --- predict, then reveal

  function drawGuess() {
    $("guess").hidden = pending === null;
    if (pending === null) return;
    const [node, , parent] = events[pending];
    $("question").textContent = `What does ${nodes[node].name} add to the gradient of ${nodes[parent].name}?`;
    $("live").textContent = $("question").textContent;
    $("verdict").textContent = "";
  }

  // As people and the engine write them: "inf", "-Infinity".
  const toNumber = (text) => Number(text.replace(/^([+-]?)inf(inity)?$/i, "$1Infinity"));

  // Within one per cent; what is zero or not finite must be told as such.
  function isNear(text, amount) {
    if (Number.isNaN(amount)) return text.toLowerCase() === "nan";
    const guess = toNumber(text);
    return guess === amount || (Number.isFinite(amount) && Math.abs(guess - amount) <= 0.01 * Math.abs(amount));
  }

  function reveal() {
    const text = $("answer").value.trim().replace(",", ".");
    const [node, , parent, , , , , shown, exact] = events[pending];
    const isRight = isNear(text, toNumber(exact));
    go(pending + 1);
    const verdict = $("verdict");
    verdict.className = text === "" ? "" : isRight ? "right" : "wrong";
    verdict.textContent = (text === "" ? "" : isRight ? "Right: " : `Not ${text}: `) +
      `${nodes[node].name} adds ${shown} to ${nodes[parent].name}.`;
    $("answer").value = "";
    app.focus({ preventScroll: true });
  }

  // --- playing

  let timer = null;
  function play(isOn) {
    clearInterval(timer);
    timer = null;
    if (isOn && k === last) go(0);
    if (isOn) timer = setInterval(() => (k < last ? go(k + 1) : play(false)), still.matches ? 1600 : 900);
    button("play").textContent = isOn ? "Pause" : "Play";
    button("play").setAttribute("aria-pressed", String(isOn));
  }

  // --- finding

  let matches = [], match = -1;
  function find(text) {
    const wanted = text.trim().toLowerCase();
    matches = wanted ? nodes.map((node, i) => i).filter((i) =>
      `${nodes[i].equation} ${cardAt(i + 1).place}`.toLowerCase().includes(wanted)) : [];
    match = -1;
    for (const box of view.boxes) box.group.classList.toggle("found", box.nodes.some((i) => matches.includes(i)));
    $("found").textContent = wanted ? `${matches.length} of ${nodes.length} nodes` : "";
  }
  function findNext() {
    if (!matches.length) return;
    match = (match + 1) % matches.length;
    choose({ node: matches[match] });
    $("found").textContent = `${match + 1} of ${matches.length}: ${nodes[matches[match]].name}`;
  }

  // --- size of the graph

  const POINT = 4 / 3; // pixels
  function resize(to) {
    if (!view.svg) return;
    const { width, height } = view.svg.viewBox.baseVal;
    view.scale = Math.min(Math.max(to, 0.05), 6);
    view.svg.setAttribute("width", width * POINT * view.scale);
    view.svg.setAttribute("height", height * POINT * view.scale);
  }
  const fitting = () => Math.min(1, ($("graph").clientWidth - 24) / ((view.svg?.viewBox.baseVal.width ?? 1) * POINT));
  const fit = () => resize(fitting());

  // --- keys and buttons

  function toggle(name, isOn) {
    button(name).setAttribute("aria-pressed", String(isOn));
    return isOn;
  }
  const isPressed = (name) => button(name).getAttribute("aria-pressed") === "true";
  const actions = {
    start: () => go(0), end: () => go(last), on: stepOn, back: () => go(k - 1),
    "node-on": () => k < last && go(afterNode()), "node-back": () => k && go(beforeNode()),
    play: () => play(timer === null),
    predict: () => {
      mode.predict = toggle("predict", !mode.predict);
      app.classList.toggle("predicting", mode.predict);
      if (!mode.predict && pending !== null) go(k);
      else keepingFocus(drawChosen);
    },
    why: () => { mode.why = toggle("why", !mode.why); light(); },
    constants: () => app.classList.toggle("no-constants", !toggle("constants", !isPressed("constants"))),
    help: () => { $("help").hidden = !$("help").hidden; button("help").setAttribute("aria-expanded", String(!$("help").hidden)); },
    smaller: () => resize(view.scale / 1.25), larger: () => resize(view.scale * 1.25), fit,
    find: () => { $("find").focus(); $("find").select(); },
    clear: () => {
      play(false);
      if (pending !== null) go(k);
      if (mode.why) actions.why();
      $("find").value = "";
      find("");
      $("verdict").textContent = "";
      $("help").hidden = true;
      button("help").setAttribute("aria-expanded", "false");
      choose(null);
      app.focus({ preventScroll: true });
    },
  };
  const keys = {
    ArrowRight: "on", ArrowLeft: "back", "Shift+ArrowRight": "node-on", "Shift+ArrowLeft": "node-back", Home: "start", End: "end",
    " ": "play", "/": "find", "?": "help", Escape: "clear", p: "predict", w: "why", c: "constants",
  };

  app.addEventListener("keydown", (press) => {
    if (press.ctrlKey || press.altKey || press.metaKey) return;
    const { target } = press, isText = target.matches("input:not([type=range])");
    if (press.key === "Escape") { actions.clear(); press.preventDefault(); return; }
    if (isText) return;
    if (target.matches("svg .node")) {
      if (press.key === "ArrowDown" || press.key === "ArrowUp") { roveBy(press.key === "ArrowDown" ? 1 : -1); press.preventDefault(); return; }
      if (press.key === "Enter" || press.key === " ") { chooseBox(roving); press.preventDefault(); return; }
    }
    if (press.key === " " && target.matches("button")) return; // it presses the button
    const isArrow = press.key.startsWith("Arrow");
    const name = keys[(press.shiftKey && isArrow ? "Shift+" : "") + press.key];
    if (!name) return;
    press.preventDefault();
    actions[name]();
  });

  for (const element of app.querySelectorAll("[data-do]"))
    element.addEventListener("click", () => actions[element.dataset.do]());
  for (const element of app.querySelectorAll("[data-show]"))
    element.addEventListener("click", () => show(element.dataset.show));
  $("scrubber").addEventListener("input", () => go(Number($("scrubber").value)));
  $("find").addEventListener("input", () => find($("find").value));
  app.querySelector(".search").addEventListener("submit", (submit) => { submit.preventDefault(); findNext(); });
  $("guess").addEventListener("submit", (submit) => { submit.preventDefault(); reveal(); });

  function fromLink() {
    const step = /^#step=(\d+)$/.exec(location.hash);
    if (step) go(Number(step[1]));
    return step !== null;
  }
  addEventListener("hashchange", fromLink);

  // --- begin

  app.classList.add("script");
  buildSource();
  buildTable();
  show(views[0]?.element.dataset.view);
  if (!fromLink()) draw(false);
  if (window.self === window.top) app.focus({ preventScroll: true });
})();
