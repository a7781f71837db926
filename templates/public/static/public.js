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
