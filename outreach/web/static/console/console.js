// What the console does beyond htmx. Every page works without it, except live counts.
(function () {
  "use strict";

  const search = () => document.querySelector("#search");

  function closeMenus(except) {
    document.querySelectorAll("details.menu[open], details.why[open]").forEach((menu) => {
      if (menu !== except && !menu.contains(except)) menu.open = false;
    });
  }

  document.addEventListener("keydown", (event) => {
    if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      const field = search();
      if (field && field.offsetParent) field.select();
      else window.location.assign("/console/search");
    }
    if (event.key === "Escape") {
      closeMenus(null);
      const results = document.querySelector("#search-results");
      if (results) results.replaceChildren();
    }
    if (event.key === "ArrowDown" || event.key === "ArrowUp") moveInResults(event);
  });

  function moveInResults(event) {
    const links = Array.from(document.querySelectorAll("#search-results a"));
    if (!links.length || !event.target.closest(".search")) return;
    const now = links.indexOf(document.activeElement);
    const next = event.key === "ArrowDown" ? now + 1 : now - 1;
    event.preventDefault();
    if (next < 0) search().focus();
    else links[Math.min(next, links.length - 1)].focus();
  }

  document.addEventListener("click", (event) => {
    closeMenus(event.target);
    if (!event.target.closest(".search")) {
      const results = document.querySelector("#search-results");
      if (results) results.replaceChildren();
    }
  });

  // A button that needs a typed number wakes up when the number is right.
  document.addEventListener("input", (event) => {
    const field = event.target.closest("[data-must-equal]");
    if (!field) return;
    const typed = field.value.replace(/[,，\s]/g, "");
    field.form.querySelectorAll("[data-needs-number]").forEach((button) => {
      button.disabled = typed !== field.dataset.mustEqual;
    });
  });

  function prepare(root) {
    root.querySelectorAll("[data-must-equal]").forEach((field) => {
      field.dispatchEvent(new Event("input", { bubbles: true }));
    });
    root.querySelectorAll("[data-submits]").forEach((field) => {
      field.addEventListener("change", () => field.form.requestSubmit());
    });
    root.querySelectorAll("[data-switch]").forEach(prepareSwitch);
    reachByKeys();
  }

  // What is wider than its place is moved by the arrow keys, and only then a stop for the tab key.
  function reachByKeys() {
    document.querySelectorAll(".table-wrap").forEach((wrap) => {
      if (wrap.scrollWidth > wrap.clientWidth) wrap.tabIndex = 0;
      else wrap.removeAttribute("tabindex");
    });
  }

  // Chart or table: two views of the same figures.
  function prepareSwitch(button) {
    button.addEventListener("click", () => {
      const group = button.closest("[data-views]");
      group.querySelectorAll("[data-view]").forEach((view) => {
        view.hidden = view.dataset.view !== button.dataset.switch;
      });
      group.querySelectorAll("[data-switch]").forEach((other) => {
        other.setAttribute("aria-pressed", String(other === button));
      });
    });
  }

  // A hidden tab asks for nothing; what somebody reads or types is not pulled away, neither by a question nor
  // by an answer that was already on its way.
  function keepWhatIsRead(event) {
    const source = event.detail.ctx.sourceElement;
    if (!source || !source.matches("[data-live]")) return;
    const busy = source.querySelector("details[open], input:focus, textarea:focus");
    if (document.hidden || busy) event.preventDefault();
  }
  document.addEventListener("htmx:before:request", keepWhatIsRead);
  document.addEventListener("htmx:before:swap", keepWhatIsRead);

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  addEventListener("resize", reachByKeys);
  document.addEventListener("htmx:after:swap", (event) => {
    const target = event.detail.ctx && event.detail.ctx.target;
    if (target instanceof Element) prepare(target);
  });
})();
