// SPDX-License-Identifier: Apache-2.0
// Fetches the list again and says when there is something new. The page works without it.
"use strict";
const PAUSE_MS = 10000;
const quiet = document.title;
async function refresh() {
  const old = document.getElementById("live");
  if (!old.contains(document.activeElement) || document.activeElement === document.body) {
    try {
      const answer = await fetch("/", { credentials: "same-origin" });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const live = page.getElementById("live");
      if (live) {
        const before = Number(old.dataset.newest), now = Number(live.dataset.newest);
        const open = old.querySelector("details")?.open;
        old.replaceWith(live);
        if (open && live.querySelector("details")) live.querySelector("details").open = true;
        document.title = page.title;
        if (now > before) document.getElementById("news").textContent = live.dataset.news + " " + live.dataset.open;
      } else location.reload();
    } catch {
      document.title = "! " + quiet;
    }
  }
  setTimeout(refresh, PAUSE_MS);
}
setTimeout(refresh, PAUSE_MS);
