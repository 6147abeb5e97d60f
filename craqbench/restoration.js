"use strict";
/* Sliders between before and after. Without this script both pictures are shown, one below the other. */
const stages = [...document.querySelectorAll(".stage")];
const tools = document.querySelector(".tools");
const body = document.body;

const slide = (stage, share) => {
  stage.querySelector("input").value = share;
  stage.style.setProperty("--x", `${share}%`);
  stage.classList.toggle("all-before", Number(share) >= 100);
  stage.classList.toggle("all-after", Number(share) <= 0);
};
const press = (name, value) => {
  for (const button of tools.querySelectorAll(`[data-${name}]`))
    button.setAttribute("aria-pressed", String(button.dataset[name] === value));
};
const show = (share) => {
  stages.forEach((stage) => slide(stage, share));
  press("share", share);
};
const zoom = (factor) => {
  body.classList.toggle("zoomed", factor !== "");
  body.style.setProperty("--zoom", factor || "1");
  press("zoom", factor);
};
const cracks = () => {
  const hidden = !stages[0].querySelector(".cracks").hidden;
  for (const picture of document.querySelectorAll(".cracks")) picture.hidden = hidden;
  tools.querySelector("[data-cracks]").setAttribute("aria-pressed", String(!hidden));
};
const blink = () => show(stages[0].classList.contains("all-before") ? "0" : "100");

for (const stage of stages) {
  slide(stage, "50");
  stage.querySelector("input").addEventListener("input", (event) => {
    slide(stage, event.target.value);
    press("share", "");
  });
}
tools.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("share" in button.dataset) show(button.dataset.share);
  else if ("zoom" in button.dataset) zoom(button.dataset.zoom);
  else if ("cracks" in button.dataset) cracks();
});
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const action = { b: blink, c: cracks }[event.key.toLowerCase()];
  if (action) action();
});
tools.hidden = false;
