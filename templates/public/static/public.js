// Reading aloud by the visitor's own device; the page is complete without it.
(() => {
  const button = document.querySelector("[data-read]");
  const speech = window.speechSynthesis;
  if (!button || !speech) return;
  button.hidden = false;
  const show = (reading) => { button.textContent = reading ? button.dataset.stop : button.dataset.read; };
  button.addEventListener("click", () => {
    if (speech.speaking) { speech.cancel(); show(false); return; }
    const text = new SpeechSynthesisUtterance(document.querySelector("main").innerText);
    text.lang = document.documentElement.lang;
    text.onend = () => show(false);
    speech.speak(text);
    show(true);
  });
  window.addEventListener("pagehide", () => speech.cancel());
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
