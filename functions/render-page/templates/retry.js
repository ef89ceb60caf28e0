'use strict';
// Comes back by itself, but quietly: when there is something else to show.
(async ({ seconds }) => {
  for (let tries = 0; tries < 150; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const answer = await fetch('/api/quote').catch(() => null);
    if (answer && answer.status !== 503) return location.reload();
  }
})(document.currentScript.dataset);
