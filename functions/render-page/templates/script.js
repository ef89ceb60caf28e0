'use strict';
(() => {
  const { nonce, dataset: { signInUrl } } = document.currentScript;
  const byId = (id) => document.getElementById(id);

  // The two scripts of Clerk come in any order, or not at all.
  let loading;
  document.addEventListener('load', () => {
    if (loading || !window.Clerk || !window.__internal_ClerkUICtor) return;
    loading = window.Clerk.load({
      ui: { ClerkUI: window.__internal_ClerkUICtor },
      nonce, signInUrl, afterSignOutUrl: '/', telemetry: false,
    }).then(mountUser, () => { loading = undefined; });
  }, true);

  function mountUser() {
    const place = byId('user');
    if (!window.Clerk.user || !place) return;
    const button = document.createElement('div');
    window.Clerk.mountUserButton(button);
    place.replaceChildren(button);
  }

  // A live token, where clerk-js runs; the session cookie otherwise.
  async function call(method, message) {
    await loading;
    const token = await window.Clerk?.session?.getToken();
    const headers = { accept: 'application/json' };
    if (token) headers.authorization = `Bearer ${token}`;
    if (message !== undefined) headers['content-type'] = 'application/json';
    const body = message === undefined ? undefined : JSON.stringify({ message });
    const response = await fetch('/api/quote', { method, headers, body });
    if (response.ok) return response.status === 204 ? null : response.json();
    const problem = await response.json().catch(() => ({}));
    throw Object.assign(new Error(problem.detail || 'Something broke. Please try again.'), { status: response.status });
  }

  function show(quote) {
    document.querySelector('main').dataset.state = quote ? 'quote' : 'empty';
    byId('lead').textContent = quote ? 'Your quote is wonderful...' : 'Save an inspiring quote for yourself...';
    byId('quote').textContent = quote ? quote.message : '';
    byId('message').value = quote ? quote.message : '';
    byId('editor').open = !quote;
    size();
    count();
    (quote ? byId('quote') : byId('message')).focus();
  }

  const size = () => byId('quote').classList.toggle('long', byId('quote').textContent.length > 120);

  function count() {
    const left = byId('left').dataset.max - [...byId('message').value.trim()].length;
    byId('left').textContent = left > 50 ? '' : left < 0 ? `${-left} too many` : `${left} left`;
  }

  function say(text, action) {
    byId('status').replaceChildren(text);
    if (!action) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Undo';
    button.addEventListener('click', () => action(button));
    byId('status').append(' ', button);
  }

  // Runs one change at a time; what was typed stays when it fails.
  async function change(form, button, work) {
    if (button.getAttribute('aria-busy') === 'true') return;
    const label = button.textContent;
    button.setAttribute('aria-busy', 'true');
    button.textContent = 'One moment...';
    byId('error').textContent = '';
    say('');
    try {
      await work();
    } catch (error) {
      // The form post brings a new session and the text back.
      if (error.status === 401 && form) return form.submit();
      const text = error.status ? error.message : 'The network did not answer. Please try again.';
      if (form?.id === 'save') {
        byId('error').textContent = text;
        byId('message').focus();
      } else {
        say(text);
      }
    } finally {
      button.removeAttribute('aria-busy');
      button.textContent = label;
    }
  }

  const save = (form, button, message, done) => change(form, button, async () => {
    show(await call('PUT', message));
    say(done);
  });

  document.addEventListener('DOMContentLoaded', () => {
    const field = byId('message');
    size();
    count();
    field.addEventListener('input', count);
    field.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byId('save').requestSubmit();
    });
    byId('editor').addEventListener('toggle', () => {
      if (byId('editor').open && document.activeElement?.tagName === 'SUMMARY') field.focus();
    });
    byId('save').addEventListener('submit', (event) => {
      event.preventDefault();
      save(event.target, event.submitter || event.target.querySelector('button'), field.value, 'Saved.');
    });
    byId('delete').addEventListener('submit', (event) => {
      event.preventDefault();
      const message = byId('quote').textContent;
      change(event.target, event.submitter || event.target.querySelector('button'), async () => {
        await call('DELETE');
        show(null);
        say('Deleted.', (undo) => save(null, undo, message, 'It is back.'));
      });
    });
  });
})();
