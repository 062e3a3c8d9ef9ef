// Review by keyboard: one key for each decision, a digit for each requirement (with Shift: no), if no field has the focus
// and the tab is open. While an answer is on its way, further keys wait, so that none is lost and each means the picture
// that its presser sees next.
const REVIEW_KEYS = { a: "approve", r: "reject", s: "skip", u: "undo" };
const easelReview = {
  busy: false,
  waiting: [],
  shown(id) {
    const found = document.getElementById(id);
    return found && found.offsetParent !== null ? found : null;
  },
  // What a key presses; null where it means nothing here.
  target(key) {
    if (key === "e") return this.shown("review-brief") && document.querySelector("#review-brief textarea");
    const digit = /^(no )?([1-9])$/.exec(key);
    if (!digit) return REVIEW_KEYS[key] ? this.shown("review-" + REVIEW_KEYS[key]) : null;
    const row = this.shown("review-item") && document.querySelectorAll("#review-item .ask")[digit[2] - 1];
    return row ? row.querySelector(`button[data-word="${digit[1] ? "fail" : "pass"}"]`) : null;
  },
  press(key) {
    const target = this.target(key);
    if (!target) return false;
    if (this.busy) this.waiting.push(key);
    else if (key === "e") target.focus();
    else {
      this.begin();  // the script before the call runs later
      target.click();
    }
    return true;
  },
  begin() {
    this.busy = true;
  },
  // An answer has arrived: the next key counts once the picture that it means is drawn.
  end(state) {
    const open = JSON.parse(state || "{}"), drawn = document.querySelector("#review-item [data-picture]");
    const expected = open.run ? `${open.run}/${open.candidate}` : undefined;
    if (drawn?.dataset.picture !== expected) return requestAnimationFrame(() => this.end(state));
    this.busy = false;
    while (this.waiting.length && !this.busy) this.press(this.waiting.shift());
  },
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("input, textarea, select, [contenteditable=true]")) return;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code);
  const key = digit ? (event.shiftKey ? "no " : "") + digit[1] : event.key.toLowerCase();
  if (easelReview.press(key)) event.preventDefault();
});
// Ctrl+Enter, or Cmd+Enter, paints from any field of Create.
document.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
  const paint = document.getElementById("paint");
  if (!paint || paint.offsetParent === null || paint.disabled) return;
  event.preventDefault();
  paint.click();
});
// The page's address says what is shown: the tab, the job of Create, the batch, the run and filters of the gallery. Back and
// Forward go between these.
const easelAddress = {
  get params() {
    return new URLSearchParams(location.search);
  },
  // Write values into the address; empty ones are left out. `step`: Back returns to the address before.
  put(values, step = true) {
    const params = this.params;
    for (const [name, value] of Object.entries(values))
      if (value) params.set(name, value); else params.delete(name);
    const query = params.size ? "?" + params : location.pathname;
    if (params.toString() !== this.params.toString()) history[step ? "pushState" : "replaceState"](null, "", query);
    this.shown = this.content;
  },
  // The address without the tab.
  get content() {
    const params = this.params;
    params.delete("tab");
    return params.toString();
  },
  following: [],  // tabs that were opened because the address says so, and whose event is on its way
  tab(name) {
    const at = this.following.indexOf(name);
    if (at >= 0) this.following.splice(at, 1);
    else if (document.body.dataset.opened) this.put({ tab: name === "create" ? "" : name });
  },
  // Open the tab of a new page's address, once its values are there: `name` has its own.
  arrived(name) {
    const named = this.params.get("tab");
    if (name ? named === name : !["batch", "gallery"].includes(named)) this.open();
  },
  // A link to a job that turned out to be a batch.
  batch(id) {
    if (id && this.params.get("job") === id) this.put({ job: "", tab: "batch", batch: id }, false);
    this.arrived("batch");
  },
  // Open the tab of the address.
  open() {
    const name = this.params.get("tab") || "create";
    const label = document.querySelector(`#tabs [data-tab-id="${CSS.escape(name)}"]`)
      ?? [...document.querySelectorAll(".overflow-dropdown button")].find((b) => b.textContent.trim().toLowerCase() === name);
    if (!label || label.getAttribute("aria-selected") === "true") return;
    this.following.push(name);
    label.click();
  },
};
window.addEventListener("popstate", () => {
  if (easelAddress.content === easelAddress.shown) easelAddress.open(); else location.reload();
});
// A press on the label of a fold opens or closes the section that follows it.
document.addEventListener("click", (event) => {
  const label = event.target.closest("button.fold");
  if (!label) return;
  const open = document.getElementById(label.id.replace(/-fold$/, "")).toggleAttribute("data-open");
  label.setAttribute("aria-expanded", open);
});
// Edits of the list of requirements that the server has not answered yet. `seen`: the draft that they apply to.
const easelEdits = {
  seen: null,
  open: [],
  add(edit) {
    const draft = document.querySelector("#draft textarea, #draft input").value;
    if (draft !== this.seen) [this.seen, this.open] = [draft, []];
    this.open.push(edit);
    return JSON.stringify(this.open);
  },
  of(draft) {
    return draft === this.seen ? this.open : [];
  },
  // Those to paint with; a requirement that is written, but not added yet, is added.
  toPaint(draft) {
    if (document.querySelector('#wants input[data-op="add"]')?.value.trim())
      document.querySelector('#wants button[data-op="add"]').click();
    return JSON.stringify(this.of(draft));
  },
};
// An error that a timer of the page meets again and again is shown once.
const easelToasts = () => {
  const seen = new Set();
  for (const toast of document.querySelectorAll(".toast-body")) {
    if (seen.has(toast.textContent)) toast.querySelector(".toast-close")?.click();
    seen.add(toast.textContent);
  }
};
// Errors of what was done before go when the next thing is done.
document.addEventListener("click", (event) => {
  if (!event.target.closest("button, a") || event.target.closest(".toast-body")) return;
  for (const close of document.querySelectorAll(".toast-body .toast-close")) close.click();
}, true);
// Times are shown in the zone of the viewer; pointing at one shows it in UTC.
const easelTimes = () => {
  for (const time of document.querySelectorAll("time[datetime]:not([title])")) {
    time.title = time.textContent;
    time.textContent = new Date(time.dateTime).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
};
new MutationObserver(() => { easelTimes(); easelToasts(); }).observe(document, { subtree: true, childList: true });
// Where the file of the main picture is gone, its small copy behind it shows.
document.addEventListener("error", (event) => {
  if (event.target.matches?.(".frame img")) event.target.style.visibility = "hidden";
}, true);
// The slider between two pictures.
document.addEventListener("input", (event) => {
  if (!event.target.matches(".slide")) return;
  event.target.parentElement.querySelector(".compare").style.setProperty("--cut", event.target.value + "%");
});
// Gradio computes which tabs fit before our style is applied. A resize event makes it compute again.
document.addEventListener("DOMContentLoaded", () => {
  const seen = new MutationObserver(() => {
    if (!document.body.dataset.opened) return;
    seen.disconnect();
    easelAddress.shown = easelAddress.content;
    easelAddress.arrived();
    for (const label of document.querySelectorAll("button.fold")) label.setAttribute("aria-expanded", false);
    window.dispatchEvent(new Event("resize"));
  });
  seen.observe(document.body, { attributes: true, attributeFilter: ["data-opened"] });
});
