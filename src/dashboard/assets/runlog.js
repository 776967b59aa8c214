// Live updates and keys. Every link and form works without this file.
"use strict";
(() => {
  const body = document.body;
  const base = body.dataset.base || "";
  const $ = (selector) => document.querySelector(selector);
  const all = (selector) => [...document.querySelectorAll(selector)];

  // ---- live updates: one stream a tab, closed while nobody looks ----
  let stream = null, paused = false, lost = 0, news = new Set(), timer = null, first = true;
  const pulse = (text) => { const at = $("#pulse"); if (at && at.textContent !== text) at.textContent = text; };

  // Changes the page into what it is now, in place: what is open, ticked or focused stays so.
  const typing = () => { const q = $("#q"); return q && q === document.activeElement && (q.value !== q.defaultValue || q.getAttribute("aria-expanded") === "true"); };
  const look = () => {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      if (typing()) { look(); return; }
      if (document.querySelector("main form textarea:focus")) return;
      try {
        await htmx.ajax("GET", location.pathname + location.search, { target: "#main", swap: "outerMorph", select: "#main" });
        dress();
        if (stream || $("[data-poll]")) pulse("● live " + new Date().toISOString().slice(11, 19));
      } catch { pulse("○ the page could not be read again"); }
    }, 250);
  };
  const tell = () => {
    const at = $("#news");
    if (!at) return;
    at.textContent = "";
    if (news.size === 0) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${news.size} new ${news.size === 1 ? "run" : "runs"}: show`;
    button.addEventListener("click", () => { news.clear(); look(); });
    at.append(button);
  };
  // A list that changes under the hand is no list: what is new is counted, what is there is brought up to date.
  const changed = (data) => {
    const { runs, gone } = JSON.parse(data);
    const known = new Set(all("tr[data-run]").map((row) => row.dataset.run));
    if (first) { first = false; runs.filter((run) => !known.has(run)).forEach((run) => news.add(run)); tell(); return; }
    runs.filter((run) => !known.has(run)).forEach((run) => news.add(run));
    if (known.size === 0 && news.size > 0) { news.clear(); look(); return; }
    if (runs.some((run) => known.has(run)) && news.size === 0 && gone.length === 0) look();
    tell();
  };
  const close = () => { if (stream) { stream.close(); stream = null; } };
  const open = () => {
    const at = body.dataset.live;
    if (!at || stream || paused || document.hidden) return;
    first = true;
    stream = new EventSource(at);
    stream.addEventListener("open", () => { lost = 0; pulse("● live"); });
    stream.addEventListener("changed", (event) => changed(event.data));
    stream.addEventListener("run.event", look);
    stream.addEventListener("reset", look);
    stream.addEventListener("end", () => { close(); delete body.dataset.live; look(); pulse("ended"); });
    stream.addEventListener("error", () => {
      lost += 1;
      pulse(`○ reconnecting (${lost})`);
      if (stream && stream.readyState === EventSource.CLOSED) { close(); setTimeout(open, Math.min(30, 2 ** lost) * 1000); }
    });
  };
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else { open(); if (body.dataset.live) look(); } });
  const poll = () => { if ($("[data-poll]") && !document.hidden && !paused) look(); };
  setInterval(poll, 1000);

  // ---- what is said in words: how long ago, copied, chosen ----
  const units = [[86400, "d"], [3600, "h"], [60, "min"]];
  const span = (seconds) => {
    if (seconds < 120) return `${Math.floor(seconds)} s`;
    const [size, unit] = units.find(([size]) => seconds >= 2 * size) || [1, "s"];
    return `${Math.floor(seconds / size)} ${unit}`;
  };
  const age = () => all("time:not([data-as])").forEach((time) => {
    const passed = (Date.now() - Date.parse(time.dateTime)) / 1000;
    const text = passed < 0 ? `in ${span(-passed)}` : `${span(passed)} ago`;
    if (time.textContent !== text) time.textContent = text;
  });
  setInterval(age, 10000);
  const copy = async (text) => {
    try { await navigator.clipboard.writeText(text); } catch {
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
    }
    pulse("copied");
  };
  document.addEventListener("click", (event) => {
    const code = event.target.closest("[data-copy]");
    if (code && !getSelection().toString()) copy(code.textContent);
  });
  document.addEventListener("change", (event) => { if (event.target.matches("[data-submit]")) event.target.form.submit(); });
  // A second click sends no second form.
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => { if (sent.has(event.target)) event.preventDefault(); else sent.add(event.target); });
  addEventListener("pageshow", () => { sent = new WeakSet(); });
  const theme = () => {
    const dark = document.documentElement.dataset.theme
      ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    document.documentElement.dataset.theme = dark ? "light" : "dark";
    document.cookie = `runlog_theme=${dark ? "light" : "dark"}; path=${base || "/"}; max-age=31536000; samesite=strict`;
  };

  // ---- the timeline: what is dragged over is seen closer, at an address of its own ----
  document.addEventListener("pointerdown", (event) => {
    const svg = event.target.closest(".timeline svg");
    if (!svg || event.button !== 0) return;
    const { left, width } = svg.getBoundingClientRect(), began = event.clientX;
    const place = (x) => Math.min(1000, Math.max(0, ((x - left) / width) * 1000));
    const ends = (to) => [place(began), place(to)].sort((one, other) => one - other);
    const marks = svg.closest(".timeline").dataset.axis.split(" ").map((mark) => mark.split(",").map(Number));
    const time = (at) => {
      const found = marks.findIndex(([next]) => next >= at);
      const next = Math.max(1, found < 0 ? marks.length - 1 : found);
      const [[from, begins], [to, stops]] = [marks[next - 1], marks[next]];
      return begins + (to > from ? (at - from) / (to - from) : 0) * (stops - begins);
    };
    const shade = document.createElementNS(svg.namespaceURI, "rect");
    shade.setAttribute("class", "brush");
    shade.setAttribute("height", "100%");
    const move = (to) => {
      const [first, last] = ends(to.clientX);
      shade.setAttribute("x", `${first / 10}%`);
      shade.setAttribute("width", `${(last - first) / 10}%`);
      svg.append(shade);
    };
    const stop = () => { removeEventListener("pointermove", move); shade.remove(); };
    addEventListener("pointermove", move);
    addEventListener("pointercancel", stop, { once: true });
    addEventListener("pointerup", (up) => {
      stop();
      const [first, last] = ends(up.clientX);
      if (last - first >= 10) location.assign(`?from=${Math.floor(time(first))}&to=${Math.ceil(time(last))}#timeline`);
    }, { once: true });
  });

  // ---- keys ----
  let rows = -1, prefix = "", keysOff = localStorage.getItem("runlog-keys") === "off";
  const step = (selector, by, from) => {
    const found = all(selector);
    if (found.length === 0) return -1;
    const at = Math.min(Math.max(from + by, 0), found.length - 1);
    all(".here").forEach((one) => one.classList.remove("here"));
    found[at].classList.add("here");
    found[at].scrollIntoView({ block: "center" });
    return at;
  };
  const places = { rows: -1, errors: -1, tasks: -1 };
  const press = (key) => { const at = $(`[data-key="${CSS.escape(key)}"]`); if (at) at.click(); return Boolean(at); };
  const row = () => $("tr.here");
  const does = {
    "?": () => $("#keys").showModal(),
    "/": () => { const q = $("#q"); if (q) { q.focus(); q.select(); } else location.href = `${base}/runs`; },
    j: () => { rows = step("#main tbody tr", 1, rows); },
    k: () => { rows = step("#main tbody tr", -1, rows); },
    o: () => (row()?.querySelector("a.open") || row()?.querySelector("a"))?.click(),
    Enter: () => does.o(),
    x: () => { const box = row()?.querySelector("input[type=checkbox]"); if (box) box.checked = !box.checked; },
    e: () => { places.errors = step("[data-error], [data-level=ERROR]", 1, places.errors); },
    E: () => { places.errors = step("[data-error], [data-level=ERROR]", -1, places.errors); },
    n: () => { places.tasks = step("tr[data-task]", 1, places.tasks); },
    p: () => { places.tasks = step("tr[data-task]", -1, places.tasks); },
    y: () => copy(location.href),
    ".": () => { paused = !paused; if (paused) { close(); pulse("‖ paused"); } else { pulse(""); open(); look(); } },
    T: theme,
  };
  const goes = { r: "g r", f: "g f", w: "g w", s: "g s", l: "g l", n: "g n", a: "g a" };
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select");
    if (typing) {
      if (event.key === "Escape") event.target.blur();
      if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); event.target.form?.querySelector("[data-enter]")?.click(); }
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
    if (event.key === "K") {
      keysOff = !keysOff;
      localStorage.setItem("runlog-keys", keysOff ? "off" : "on");
      pulse(keysOff ? "keys are off" : "keys are on");
      return;
    }
    if (keysOff) return;
    if (event.key === "Enter" && event.target !== document.body && event.target.id !== "main") return;
    if (prefix === "g") { prefix = ""; if (goes[event.key]) press(goes[event.key]); return; }
    if (event.key === "g") { prefix = "g"; setTimeout(() => { prefix = ""; }, 1500); return; }
    if (does[event.key]) { does[event.key](); event.preventDefault(); } else if (press(event.key)) event.preventDefault();
  });

  // ---- what the page cannot do by itself ----
  const dress = () => {
    for (const [id, act] of [["theme", theme], ["keys-open", does["?"]]]) {
      const at = document.getElementById(id);
      if (at && at.hidden) { at.hidden = false; at.addEventListener("click", act); }
    }
    age();
  };
  dress();
  open();
})();
