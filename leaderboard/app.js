"use strict";
/* Filters and headings answer without loading the page anew. Without this script all of it works, by loading. */
document.documentElement.classList.add("live");
let last = 0;

const swap = async (address, focus) => {
  const mine = ++last;
  const results = document.getElementById("results");
  results.classList.add("loading");
  const answer = await fetch(address, { headers: { accept: "text/html" } }).catch(() => null);
  if (mine !== last) return;
  if (!answer || !answer.ok) { location.assign(address); return; }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (mine !== last) return;
  const fresh = page.getElementById("results");
  if (!fresh) { location.assign(address); return; }
  results.replaceWith(fresh);
  const kept = document.querySelectorAll(".filters input[type=hidden]");
  kept.forEach((input) => input.remove());
  document.querySelector(".filters")?.append(...page.querySelectorAll(".filters input[type=hidden]"));
  history.replaceState(null, "", address);
  if (focus) fresh.querySelector(focus)?.focus();
};

const address = (form) => {
  const query = new URLSearchParams();
  for (const [name, value] of new FormData(form)) if (value.trim()) query.append(name, value.trim());
  const text = query.toString();
  return form.getAttribute("action") + (text ? `?${text}` : "");
};

const form = document.querySelector("form[data-live]");
if (form) {
  let timer = 0;
  form.addEventListener("input", (event) => {
    clearTimeout(timer);
    timer = setTimeout(() => swap(address(form)), event.target.matches("select") ? 0 : 250);
  });
  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(timer); swap(address(form)); });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
  event.preventDefault();
  const heads = [...document.querySelectorAll("thead a")];
  const at = heads.indexOf(link);
  swap(link.getAttribute("href"), at < 0 ? "a[data-swap]" : `thead th:nth-child(${at + 1}) a`);
});

/* What waits is looked at again: a little later each time, and not while nobody sees it. */
let pause = 4000;
const again = () => setTimeout(async () => {
  if (!document.hidden) {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (answer?.ok) {
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.querySelector("main").replaceWith(page.querySelector("main"));
    }
  }
  pause = Math.min(pause * 1.3, 30000);
  if (document.querySelector("[data-refresh]")) again();
}, pause);
if (document.querySelector("[data-refresh]")) again();
