// What a browser shows of a page: texts with their places and colours, pictures, and what should not be there.
async () => {
  await document.fonts.ready;
  const wide = innerWidth, high = innerHeight;
  // `slack`: pixels above and below, since the box of a line is higher than its letters.
  const within = (box, frame, slack = 1) =>
    box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - slack && box.bottom <= frame.bottom + slack;
  const fieldOf = (element) => {
    const tag = element.closest("[data-field]");
    return tag ? tag.dataset.field : { H1: "headline", P: "body" }[element.tagName] || "";
  };
  const visible = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.closest("script, style, template, noscript")) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const lines = [...range.getClientRects()];
    const style = getComputedStyle(element);
    const slack = 1 + 0.25 * parseFloat(style.fontSize);
    let cut = "";
    for (let frame = element; frame && frame !== document.body; frame = frame.parentElement) {
      const clips = getComputedStyle(frame).overflow !== "visible";
      if ((clips || frame === element) && style.display !== "inline" && !within(box, frame.getBoundingClientRect(), slack))
        cut = clips ? "is cut off" : "is larger than its box";
    }
    if (!within(box, { left: 0, top: 0, right: wide, bottom: Math.max(high, document.documentElement.scrollHeight) }) ||
        box.right > wide + 1) cut = "leaves the page";
    const covered = lines.some((line) => {
      const x = (line.left + line.right) / 2, y = (line.top + line.bottom) / 2;
      if (x < 0 || y < 0 || x >= wide || y >= high) return false;
      const top = document.elementFromPoint(x, y);
      return top && !element.contains(top) && !top.contains(element);
    });
    texts.push({
      text: node.data.trim().replace(/\s+/g, " "), field: fieldOf(element), colour: style.color,
      size: parseFloat(style.fontSize), weight: parseFloat(style.fontWeight), cut, covered,
      shown: visible(element) && box.width > 0 && box.height > 0,
      lines: lines.map((line) => [line.left, line.top, line.right, line.bottom]),
    });
  }
  const pictures = [...document.images].map((image) => {
    const box = image.getBoundingClientRect();
    return {
      source: image.getAttribute("src") || "", alt: image.getAttribute("alt"),
      loaded: image.complete && image.naturalWidth > 0,
      shown: visible(image) && box.width > 1 && box.height > 1 && within(box, { left: 0, top: 0, right: wide,
        bottom: Math.max(high, document.documentElement.scrollHeight) }),
    };
  });
  const handlers = [...document.querySelectorAll("*")].filter((element) =>
    [...element.attributes].some(({ name, value }) => name.startsWith("on") || /^\s*javascript:/i.test(value)));
  const parsed = new DOMParser().parseFromString(SOURCE, "application/xhtml+xml").querySelector("parsererror");
  return {
    texts, pictures,
    scripts: document.querySelectorAll("script, iframe, object, embed").length + handlers.length,
    fault: parsed ? parsed.textContent.replace(/\s+/g, " ").trim() : "",
    fonts: [...document.fonts].filter((font) => font.status === "error").length,
    width: document.documentElement.scrollWidth, height: document.documentElement.scrollHeight,
  };
}
