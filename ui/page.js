// Review by keyboard: one key for each decision, if no field has the focus and the tab is open.
const REVIEW_KEYS = { a: "approve", r: "reject", s: "skip", u: "undo" };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable=true]")) return;
  if (event.key.toLowerCase() === "e") {
    const field = document.querySelector("#review-brief textarea");
    if (field && field.offsetParent !== null) { event.preventDefault(); field.focus(); }
    return;
  }
  const button = document.getElementById("review-" + REVIEW_KEYS[event.key.toLowerCase()]);
  if (!button || button.offsetParent === null) return;
  event.preventDefault();
  button.click();
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
    for (const label of document.querySelectorAll("button.fold")) label.setAttribute("aria-expanded", false);
    window.dispatchEvent(new Event("resize"));
  });
  seen.observe(document.body, { attributes: true, attributeFilter: ["data-opened"] });
});
