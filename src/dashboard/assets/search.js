// The search box: what may come next while one types, and searches that this browser keeps. Without this file it is a plain box.
"use strict";
(() => {
  const base = document.body.dataset.base || "";
  const $ = (selector) => document.querySelector(selector);
  const make = (tag, attributes, ...children) => {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children);
    return made;
  };

  // ---- suggestions: a combobox with a listbox, as the ARIA practices have it ----
  const list = make("ul", { id: "suggestions", role: "listbox", "aria-label": "Suggestions" });
  let here = -1, keep = "", asked = 0, timer = null;
  const options = () => [...list.children];
  const isOpen = () => list.isConnected && !list.hidden;
  const close = () => {
    clearTimeout(timer);
    asked += 1;
    here = -1;
    list.hidden = true;
    const box = $("#q");
    if (box) { box.setAttribute("aria-expanded", "false"); box.removeAttribute("aria-activedescendant"); }
  };
  const point = (to) => {
    const all = options();
    here = (to + all.length + 1) % (all.length + 1);
    all.forEach((option, at) => option.setAttribute("aria-selected", String(at === here)));
    const box = $("#q");
    // One place behind the last option is the box itself.
    if (here === all.length) { here = -1; box.removeAttribute("aria-activedescendant"); return; }
    box.setAttribute("aria-activedescendant", all[here].id);
    all[here].scrollIntoView({ block: "nearest" });
  };
  const take = (option) => {
    const box = $("#q"), after = box.value.slice(box.selectionStart), text = option.dataset.text;
    const goesOn = text.endsWith(":");
    const before = keep + text + (goesOn || after.startsWith(" ") ? "" : " ");
    box.value = before + after;
    box.setSelectionRange(before.length, before.length);
    close();
    if (goesOn) ask();
  };
  const show = (box, answer) => {
    keep = answer.keep;
    list.replaceChildren(...answer.options.map(({ text, says }, at) =>
      make("li", { id: `s-${at}`, role: "option", "aria-selected": "false", "data-text": text }, make("code", {}, text), make("span", { class: "faint" }, says))));
    box.form.append(list);
    here = -1;
    list.hidden = answer.options.length === 0;
    box.setAttribute("aria-expanded", String(!list.hidden));
    box.removeAttribute("aria-activedescendant");
  };
  const ask = async () => {
    const box = $("#q"), number = asked += 1;
    try {
      const answer = await fetch(box.dataset.suggest + encodeURIComponent(box.value.slice(0, box.selectionStart)));
      if (!answer.ok) return;
      const told = await answer.json();
      if (number === asked && document.activeElement === box) show(box, told);
    } catch { /* the box is as it was */ }
  };
  document.addEventListener("input", (event) => {
    if (event.target.id !== "q") return;
    clearTimeout(timer);
    timer = setTimeout(ask, 120);
  });
  // Before the keys of pages: what the list takes they do not see.
  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "q" || event.ctrlKey || event.metaKey || event.altKey) return;
    const taken = () => { event.preventDefault(); event.stopPropagation(); };
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      taken();
      if (!isOpen()) ask(); else if (event.key === "ArrowDown") point(here + 1); else point((here < 0 ? options().length : here) - 1);
    } else if (event.key === "Enter" && isOpen() && here >= 0) { taken(); take(options()[here]); }
    else if (event.key === "Escape" && isOpen()) { taken(); close(); }
    else if (event.key === "Tab" || event.key === "Enter") close();
  }, true);
  document.addEventListener("mousedown", (event) => {
    const option = event.target.closest("#suggestions li");
    if (option) { event.preventDefault(); take(option); }
  });
  document.addEventListener("focusout", (event) => { if (event.target.id === "q") close(); });

  // ---- searches that are kept here, not on the server ----
  const KEY = `runlog-searches ${base}`;
  const read = () => {
    try {
      const all = JSON.parse(localStorage.getItem(KEY));
      return Array.isArray(all) ? all.filter(({ name, asks }) => typeof name === "string" && typeof asks === "string") : [];
    } catch { return []; }
  };
  const write = (all) => { localStorage.setItem(KEY, JSON.stringify(all)); dress(); };
  // What is on the page now, without the place in its pages.
  const asks = () => {
    const now = new URLSearchParams(location.search);
    now.delete("cursor");
    now.set("q", $("#q").value);
    return now.toString();
  };
  const name = make("input", { id: "save-name", required: "", maxlength: "60", autocomplete: "off" });
  const dialog = make("dialog", { "aria-labelledby": "save-title" },
    make("form", { method: "dialog" },
      make("h2", { id: "save-title" }, "Save this search"),
      make("p", { class: "faint" }, "It is kept in this browser."),
      make("label", { for: "save-name" }, "Name"), name,
      make("p", { class: "tools" }, make("button", { value: "save", class: "primary" }, "Save"), make("button", { value: "", formnovalidate: "" }, "Cancel"))));
  dialog.addEventListener("close", () => {
    const said = name.value.trim();
    if (dialog.returnValue === "save" && said) write([...read().filter((one) => one.name !== said), { name: said, asks: asks() }]);
    dialog.returnValue = "";
    $("#save")?.focus();
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "save") { document.body.append(dialog); name.value = $("#q").value; dialog.showModal(); name.select(); }
    const gone = event.target.closest("[data-forget]");
    if (gone) { write(read().filter((one) => one.name !== gone.dataset.forget)); $("#q")?.focus(); }
  });

  // Gives the page what it cannot have without this file; again after it was brought up to date.
  const dress = () => {
    const box = $("#q"), save = $("#save"), saved = $("#saved");
    if (box?.dataset.suggest) {
      for (const [key, value] of [["role", "combobox"], ["aria-autocomplete", "list"], ["aria-controls", "suggestions"], ["aria-expanded", String(isOpen())]])
        box.setAttribute(key, value);
      if (!list.isConnected) { list.hidden = true; box.form.append(list); }
    }
    if (!save || !saved) return;
    save.hidden = false;
    const all = read();
    saved.hidden = all.length === 0;
    saved.replaceChildren(...all.map((one) => make("li", {},
      make("a", { href: `${base}/runs?${one.asks}` }, one.name),
      make("button", { type: "button", "data-forget": one.name, "aria-label": `Forget the search ${one.name}` }, "×"))));
  };
  dress();
  document.addEventListener("htmx:after:swap", dress);
  addEventListener("storage", dress);
})();
