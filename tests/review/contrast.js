// Of each text that is shown: its words and the contrast ratio to what is behind it, as WCAG 2 defines it.
(() => {
  const channels = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [red, green, blue] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const isClear = (colour) => colour === "none" || (channels(colour)[3] ?? 1) === 0;
  const behind = (element) => {
    if (element.tagName === "text") {
      const box = [...element.parentElement.querySelectorAll("rect")].find((rect) => {
        const [inner, outer] = [element.getBoundingClientRect(), rect.getBoundingClientRect()];
        return inner.left >= outer.left - 1 && inner.right <= outer.right + 1;
      });
      if (box) return getComputedStyle(box).fill;
    }
    const style = getComputedStyle(element);
    return isClear(style.backgroundColor) ? behind(element.parentElement) : style.backgroundColor;
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.getClientRects().length) continue;
    const style = getComputedStyle(element);
    const [light, dark] = [element.tagName === "text" ? style.fill : style.color, behind(element)]
      .map(luminance)
      .sort((a, b) => b - a);
    found.push([texts.currentNode.data, (light + 0.05) / (dark + 0.05)]);
  }
  return JSON.stringify(found);
})();
