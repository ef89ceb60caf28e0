'use strict';
// A session that a page load asked for names no origin, because a page load has no
// Origin header. One that clerk-js asks for does.
(() => {
  let started = false;
  const explain = () => {
    document.getElementById('explanation').textContent =
      'Your session does not say which site it is for, and another one could not be had. Sign out and in again.';
  };
  // The other script is not needed here.
  document.addEventListener('error', () => window.Clerk || explain(), true);
  document.addEventListener('load', async () => {
    if (started || !window.Clerk) return;
    started = true;
    // Once: the state of this entry of the history outlives a reload.
    if (history.state?.renewed) return explain();
    try {
      await window.Clerk.load({ telemetry: false });
      if (!await window.Clerk.session?.getToken({ skipCache: true })) return explain();
      history.replaceState({ renewed: true }, '');
      location.reload();
    } catch {
      explain();
    }
  }, true);
})();
