'use strict';
// Reloads the page when the API no longer asks to wait.
(async ({ seconds }) => {
  for (let tries = 0; tries < 150; tries += 1) {
    await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
    const answer = await fetch('/api/quote').catch(() => null);
    if (answer && answer.status !== 429 && !answer.headers.has('retry-after')) return location.reload();
  }
})(document.currentScript.dataset);
