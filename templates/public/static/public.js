// Reading aloud by the visitor's own device; the page is complete without it.
(() => {
  const button = document.querySelector("[data-read]");
  const note = document.querySelector("[data-read-note]");
  if (!button || !note) return;
  const speech = window.speechSynthesis;
  // Not for ears: what cannot be seen, Mongolian beside its Chinese twin, boxes to fill in, check values.
  const silent = "[hidden], [aria-hidden=true], [lang=mn-Mong], .digest code, svg, script, style, select, textarea";
  const blocks = "h1, h2, h3, p, li, dt, dd, th, td, label, legend, summary, button, a.button, figcaption, caption, div";
  const longest = 180, patience = 4000;
  let turn = 0;

  const show = (reading) => { button.textContent = reading ? button.dataset.stop : button.dataset.read; };
  const tell = (text) => { note.textContent = text; note.hidden = !text; };
  const stop = () => { turn += 1; if (speech) speech.cancel(); show(false); };
  const fail = () => { stop(); tell(button.dataset.failed); };

  const pieces = () => {
    const found = [];
    let last = null;
    const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const owner = walker.currentNode.parentElement, words = walker.currentNode.data.replace(/\s+/g, " ").trim();
      if (!words || owner.closest(silent) || !owner.getClientRects().length) continue;
      const block = owner.closest(blocks);
      if (block === last) found[found.length - 1] += ` ${words}`; else found.push(words);
      last = block;
    }
    // Some engines fall silent in the middle of a long text.
    return found.flatMap((text) => text.match(new RegExp(`[^。！？；]{1,${longest}}[。！？；]*`, "g")) || []);
  };

  const speaks = () => {
    const voices = speech.getVoices(), wanted = document.documentElement.lang.slice(0, 2);
    const known = (lang) => lang.toLowerCase().startsWith(wanted) || (wanted === "zh" && /^(cmn|yue)/i.test(lang));
    return !voices.length || voices.some((voice) => known(voice.lang));
  };

  const read = () => {
    const mine = turn += 1, texts = pieces();
    const timer = setTimeout(() => { if (mine === turn) fail(); }, patience);
    texts.forEach((words, place) => {
      const text = new SpeechSynthesisUtterance(words);
      text.lang = document.documentElement.lang;
      text.onstart = () => clearTimeout(timer);
      text.onerror = (event) => {
        if (mine === turn && !["canceled", "interrupted"].includes(event.error)) fail();
      };
      text.onend = () => { if (mine === turn && place === texts.length - 1) { clearTimeout(timer); show(false); } };
      speech.speak(text);
    });
    show(true);
  };

  button.hidden = false;
  button.addEventListener("click", () => {
    if (button.textContent === button.dataset.stop) { stop(); return; }
    tell("");
    if (speech && speaks()) read(); else fail();
  });
  window.addEventListener("pagehide", stop);
})();
// A picture that every album takes: drawn here, sent nowhere. Without script the SVG is saved.
(() => {
  const link = document.querySelector("[data-picture]");
  const shown = document.querySelector("img.share");
  if (!link || !shown) return;
  link.addEventListener("click", (event) => {
    if (!shown.complete || !shown.naturalWidth) return;
    event.preventDefault();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [720, 960];
    canvas.getContext("2d").drawImage(shown, 0, 0, 720, 960);
    canvas.toBlob((blob) => {
      const save = document.createElement("a");
      save.href = URL.createObjectURL(blob);
      save.download = "share.png";
      save.click();
      URL.revokeObjectURL(save.href);
    }, "image/png");
  });
})();
