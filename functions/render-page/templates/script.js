'use strict';
(() => {
  const { nonce, dataset: { signInUrl } } = document.currentScript;
  if (history.state?.renewed) history.replaceState(null, '');
  // The count of redirects is in the address where cookies may not come back.
  const address = new URL(location);
  if (address.searchParams.has('__clerk_redirects')) {
    address.searchParams.delete('__clerk_redirects');
    history.replaceState(history.state, '', address);
  }
  const byId = (id) => document.getElementById(id);
  const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));

  // Clerk's two scripts come in any order, or not at all.
  let clerk;
  const user = (state) => { document.documentElement.dataset.user = state; };
  user('expected');
  document.addEventListener('error', () => user('link'), true);
  document.addEventListener('load', () => {
    if (clerk || !window.Clerk || !window.__internal_ClerkUICtor) return;
    clerk = window.Clerk.load({
      ui: { ClerkUI: window.__internal_ClerkUICtor },
      appearance: { variables: {
        colorBackground: 'var(--field)', colorForeground: 'var(--ink)', colorMutedForeground: 'var(--soft)',
        colorNeutral: 'var(--ink)', colorInput: 'var(--field)', colorInputForeground: 'var(--ink)',
      } },
      nonce, signInUrl, afterSignOutUrl: '/', telemetry: false,
    }).then(mountUser).catch(() => user('link'));
  }, true);

  function mountUser() {
    const me = window.Clerk.user?.id;
    if (!me) return user('link');
    const button = document.createElement('div');
    window.Clerk.mountUserButton(button);
    byId('user').replaceChildren(button);
    // Signed out in another tab, or somebody else: this page is not theirs.
    // What is being typed can still be saved, by way of a new sign-in.
    window.Clerk.addListener(({ user: now }) => {
      const typing = now === null && byId('message').value !== byId('quote').textContent;
      if (now !== undefined && now?.id !== me && !typing) location.assign('/');
    });
  }

  // A live token where clerk-js runs; else the session cookie has to do.
  async function token(options) {
    await clerk;
    return window.Clerk?.session?.getToken(options);
  }

  async function call(method, message, options) {
    // Somebody else may have signed in meanwhile: then nothing is changed.
    const headers = { accept: 'application/json', 'x-page-user': document.forms.save.elements.user.value };
    const live = await Promise.race([token(options).catch(() => null), wait(3)]);
    if (live) headers.authorization = `Bearer ${live}`;
    let body;
    if (message !== undefined) {
      headers['content-type'] = 'application/json';
      body = JSON.stringify({ message });
    }
    const response = await fetch('/api/quote', { method, headers, body, signal: AbortSignal.timeout(15000) });
    if (response.ok) return response.status === 204 ? null : response.json();
    // A token that clerk-js got from its cache may lack `azp`; another does not.
    if (response.status === 401 && live && !options) return call(method, message, { skipCache: true });
    const problem = await response.json().catch(() => ({}));
    // API Gateway itself sends 429, which is no problem details.
    const busy = response.status === 429 && 'Too many requests at once. Try again in a moment.';
    const text = problem.detail || busy || 'Something broke on our side. Try again in a moment.';
    throw Object.assign(new Error(text), { status: response.status });
  }

  function show(quote) {
    document.querySelector('main').dataset.state = quote ? 'quote' : 'empty';
    byId('lead').textContent = quote ? 'Your quote is wonderful...' : 'Save an inspiring quote for yourself...';
    const shown = byId('quote');
    shown.textContent = quote ? quote.message : '';
    measure(shown, shown.textContent);
    edit(!quote);
    (quote ? shown : byId('message')).focus();
  }

  function edit(open) {
    byId('editor').open = open;
    byId('message').value = byId('quote').textContent;
    complain('');
    say('');
    count();
  }

  function complain(text) {
    byId('error').textContent = text;
    byId('message').ariaInvalid = text ? 'true' : null;
  }

  // Long texts are set in another way, see `.long`.
  function measure(element, text) {
    const length = [...text.trim()].length;
    element.classList.toggle('long', length > byId('quote').dataset.long);
    return length;
  }

  function count() {
    const left = byId('left').dataset.max - measure(byId('message'), byId('message').value);
    byId('left').textContent = left > 50 ? '' : left < 0 ? `${-left} too many` : `${left} left`;
  }

  function say(text, undo) {
    byId('status').replaceChildren(text);
    if (!undo) return;
    const button = document.createElement('button');
    button.type = 'button';
    button.textContent = 'Undo';
    button.addEventListener('click', undo);
    byId('status').append(' ', button);
  }

  // One change at a time; what was typed stays when it fails.
  async function change(form, work) {
    const button = form.querySelector('button');
    if (button.ariaBusy === 'true') return;
    const label = button.textContent;
    button.ariaBusy = 'true';
    button.textContent = button.dataset.busy;
    // What is typed now would be replaced by what is saved.
    byId('message').readOnly = true;
    say('');
    try {
      await work();
    } catch (error) {
      // The form itself gets a new session and brings the text back.
      if (error.status === 401 && !error.stays) return form.submit();
      const text = error.status ? error.message : 'The network did not answer. Please try again.';
      if (form.id === 'delete') {
        say(text);
      } else {
        complain(text);
        byId('message').focus();
      }
    }
    byId('message').readOnly = false;
    button.ariaBusy = null;
    button.textContent = label;
  }

  document.addEventListener('DOMContentLoaded', () => {
    const field = byId('message');
    byId('cancel').hidden = false;
    count();
    field.addEventListener('input', count);
    field.addEventListener('keydown', (event) => {
      // Safari confirms a word of an input method with an Enter of this code.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === 'Escape' && byId('quote').textContent) byId('cancel').click();
      if (event.key !== 'Enter' || event.shiftKey) return;
      event.preventDefault();
      byId('save').requestSubmit();
    });
    byId('editor').addEventListener('click', (event) => {
      if (event.target.tagName !== 'SUMMARY') return;
      event.preventDefault();
      edit(true);
      field.focus();
    });
    byId('cancel').addEventListener('click', () => {
      edit(false);
      document.querySelector('summary').focus();
    });
    byId('save').addEventListener('submit', (event) => {
      event.preventDefault();
      complain('');
      change(event.target, async () => {
        show(await call('PUT', field.value));
        say('Saved.');
      });
    });
    byId('delete').addEventListener('submit', (event) => {
      event.preventDefault();
      const message = byId('quote').textContent;
      change(event.target, async () => {
        await call('DELETE');
        show(null);
        const undo = () => change(byId('save'), async () => {
          const typed = field.value;
          try {
            show(await call('PUT', message));
          } catch (error) {
            if (!typed.trim()) {
              // The form takes it through a new sign-in if need be.
              field.value = message;
              throw error;
            }
            say('Deleted.', undo);
            error.stays = true;
            throw error;
          }
          say('Saved.');
          if (!typed.trim()) return;
          edit(true);
          field.value = typed;
          say('Saved. What you typed meanwhile is in the field.');
          count();
        });
        say('Deleted.', undo);
      });
    });
  });
})();
