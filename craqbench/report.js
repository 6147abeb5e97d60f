"use strict";
/* Filters of the pictures. Without this script all pictures are shown, worst first. */
for (const section of document.querySelectorAll("section.set")) {
  const list = section.querySelector(".shots");
  if (!list) continue;
  const shots = [...list.children];
  const status = section.querySelector("[role=status]");
  const filters = section.querySelector(".filters");
  const chosen = new Map();
  let method = "";

  const figures = (shot) => [...shot.querySelectorAll("figure[data-method]")];
  const mean = (numbers) => numbers.reduce((a, b) => a + b, 0) / Math.max(1, numbers.length);
  /* What a picture is sorted by: the chosen method's F1, or the mean of all but the sanity rows. */
  const score = (shot) => mean(figures(shot)
    .filter((f) => (method ? f.dataset.method === method : !("sanity" in f.dataset)))
    .map((f) => Number(f.dataset.f1)));

  const show = () => {
    let seen = 0;
    for (const shot of shots) {
      const attributes = JSON.parse(shot.dataset.attributes);
      shot.hidden = ![...chosen].every(([name, value]) => (attributes[name] ?? "") === value);
      seen += shot.hidden ? 0 : 1;
      for (const figure of figures(shot))
        figure.hidden = method ? figure.dataset.method !== method : "sanity" in figure.dataset;
    }
    shots.sort((a, b) => score(a) - score(b));
    list.append(...shots);
    status.textContent = `${seen} of ${shots.length} images shown, worst first`;
  };

  filters.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    for (const other of button.closest("fieldset").querySelectorAll("button"))
      other.setAttribute("aria-pressed", String(other === button));
    const { attribute, value } = button.dataset;
    if ("view" in button.dataset)
      for (const other of button.closest("fieldset").querySelectorAll("[data-view]:not([data-view=''])"))
        list.classList.toggle(other.dataset.view, other === button);
    else if ("method" in button.dataset) method = button.dataset.method;
    else if (value === undefined) chosen.delete(attribute);
    else chosen.set(attribute, value);
    show();
  });
  filters.hidden = false;
  show();
}
