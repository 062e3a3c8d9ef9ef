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
    window.dispatchEvent(new Event("resize"));
  });
  seen.observe(document.body, { attributes: true, attributeFilter: ["data-opened"] });
});
