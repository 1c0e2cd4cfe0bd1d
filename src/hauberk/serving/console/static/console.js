// What pages do beyond what HTML does by itself. Without it they work all the same.
"use strict";

const body = document.body;

// Parts that renew themselves: the page is asked for again, and elements of the same id take their place.

const live = () => [...document.querySelectorAll("[data-live][id]")];
let ticket = body.dataset.ticket;

const busyIn = (part) => {
  const at = document.activeElement;
  const typing = part.contains(at) && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName);
  return typing || part.querySelector(":popover-open, details[open]") !== null;
};

const replace = (fresh) => {
  for (const part of live()) {
    const next = fresh.getElementById(part.id);
    if (next === null || busyIn(part) || next.outerHTML === part.dataset.before) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    const before = next.outerHTML;
    part.replaceWith(next);
    next.dataset.before = before;
    if (focused) document.getElementById(focused)?.focus();
    dress(next);
  }
};

const away = (gone) => {
  for (const one of document.querySelectorAll(".live")) {
    one.classList.toggle("away", gone);
    one.dataset.text ??= one.textContent;
    one.textContent = gone ? body.dataset.away : one.dataset.text;
  }
};

const renew = async () => {
  const answer = await fetch(location.href, {
    headers: { "x-hauberk-live": ticket || "none" }, credentials: "same-origin", redirect: "error",
  });
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(String(answer.status));
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  ticket = fresh.body.dataset.ticket;
  replace(fresh);
};

const follow = () => {
  const paces = live().map((one) => Number(one.dataset.live)).filter((one) => one > 0);
  if (paces.length === 0) return;
  const pace = Math.max(1, Math.min(...paces)) * 1000;
  let failures = 0;
  const turn = async () => {
    if (!document.hidden) {
      try {
        await renew();
        failures = 0;
      } catch {
        failures += 1;
      }
      away(failures > 1);
    }
    setTimeout(turn, pace * Math.min(8, 1 + failures));
  };
  setTimeout(turn, pace);
};

// Moments in the viewer's own time zone.

const tongue = document.documentElement.lang.slice(0, 2);
const place = navigator.languages.find((one) => one.startsWith(tongue)) ?? tongue;
const moments = new Intl.DateTimeFormat(place, { dateStyle: "medium", timeStyle: "short" });

const dress = (root) => {
  for (const one of root.querySelectorAll("time.at")) {
    one.title = one.textContent;
    one.textContent = moments.format(new Date(one.dateTime));
  }
  for (const one of root.querySelectorAll("[data-copy]")) one.hidden = !navigator.clipboard;
};

// Buttons that copy, and forms that are sent once.

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (button === null) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  button.textContent = body.dataset.copied;
});

document.addEventListener("submit", (event) => {
  const button = event.submitter;
  if (event.target.method !== "post" || button === null) return;
  setTimeout(() => { button.disabled = true; });
  addEventListener("pageshow", () => { button.disabled = false; }, { once: true });
});

// The first field of a question is ready to be filled in.

document.addEventListener("toggle", (event) => {
  if (event.newState !== "open" || !event.target.matches(".ask")) return;
  event.target.querySelector("input:not([type=hidden]), select, textarea, button")?.focus();
}, true);

// The keyboard.

const step = (by) => {
  const pages = [...document.querySelectorAll(".side nav a")];
  const at = pages.findIndex((one) => one.ariaCurrent === "page");
  const next = pages[at + by];
  if (next) location.assign(next.href);
};

const KEYS = {
  "/": () => document.querySelector("main input[type=search], main form[method=get] input")?.focus(),
  "j": () => step(1),
  "k": () => step(-1),
  "?": () => document.getElementById("keys")?.togglePopover(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea, [contenteditable]");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || !(event.key in KEYS)) return;
  event.preventDefault();
  KEYS[event.key]();
});

dress(document);
follow();
