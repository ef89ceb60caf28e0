'use strict';
(() => {
  const { nonce, dataset: { signInUrl } } = document.currentScript;
  // The count of redirects is in the address where cookies may not come back.
  const address = location.href.replace(/__clerk_redirects=[^&#]*&?/, '').replace(/[?&](?=#|$)/, '');
  history.replaceState(null, '', address);
  const on = (target, type, work) => target.addEventListener(type, work, true);
  const instead = (target, type, work) => on(target, type, (event) => {
    event.preventDefault();
    work();
  });
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  let [main, time, summary, editor, field, quote, problem, left, status, cancel, copy] = [
    'main', 'time', 'summary', '#editor', '#message', '#quote', '#error', '#left', '#status', '#cancel', '#copy',
  ].map((selector) => document.querySelector(selector));
  const { forms } = document;
  // What every change is based on: the API refuses it where something else is saved.
  const { user: { value: owner }, version } = forms.save.elements;
  const { version: shown } = forms.delete.elements;
  const isTouch = matchMedia('(pointer: coarse)').matches;
  let leaving = false, signedOut = false;

  // Clerk's two scripts come in any order, or not at all.
  let clerk;
  const user = (state) => { document.documentElement.dataset.user = state; };
  on(document, 'error', () => user('link'));
  on(document, 'load', () => {
    if (clerk || !window.Clerk || !window.__internal_ClerkUICtor) return;
    clerk = Clerk.load({
      ui: { ClerkUI: window.__internal_ClerkUICtor },
      appearance: { variables: {
        colorBackground: 'var(--field)', colorForeground: 'var(--ink)', colorMutedForeground: 'var(--soft)',
        colorNeutral: 'var(--ink)', colorInput: 'var(--field)', colorInputForeground: 'var(--ink)',
      } },
      nonce, signInUrl, afterSignOutUrl: '/', telemetry: false,
    }).then(mountUser).catch(() => user('link'));
  });

  function mountUser() {
    const me = Clerk.user?.id;
    if (!me) return user('link');
    const button = make('div');
    Clerk.mountUserButton(button, { showName: true });
    document.querySelector('#user').replaceChildren(button);
    // Signed out in another tab, or somebody else: this page is not theirs.
    Clerk.addListener(({ user: now }) => {
      signedOut = now?.id !== me;
      changed();
      // Not known yet; or what is being typed can still be saved, by way of a new sign-in.
      if (!signedOut || now === undefined || (!now && editor.open && unsaved())) return;
      leaving = true;
      location.assign('/');
    });
  }

  // A live token where clerk-js runs; else the session cookie has to do.
  async function token(options) {
    await clerk;
    return window.Clerk?.session?.getToken(options);
  }

  async function call(method, based, message, options) {
    // Somebody else may have signed in meanwhile: then nothing is changed.
    const headers = { 'x-page-user': owner };
    if (based) headers[method === 'GET' ? 'if-none-match' : 'if-match'] = `"${based}"`;
    else if (method === 'PUT') headers['if-none-match'] = '*';
    const late = new Promise((resolve) => setTimeout(resolve, 3000));
    const live = await Promise.race([token(options).catch(() => null), late]);
    if (live) headers.authorization = `Bearer ${live}`;
    let body;
    if (message !== undefined) {
      headers['content-type'] = 'application/json';
      body = JSON.stringify({ message });
    }
    const response = await fetch('/api/quote', { method, headers, body, signal: AbortSignal.timeout(15000) });
    // A token that clerk-js got from its cache may lack `azp`; another does not.
    if (response.status === 401 && live && !options) return call(method, based, message, { skipCache: true });
    const answer = await response.json().catch(() => null);
    const tag = (answer && response.headers.get('etag')?.replace(/^W\/|"/g, '')) ?? '';
    // Half an answer is none.
    if (response.ok && (answer || method === 'DELETE')) return { quote: answer, tag };
    // API Gateway itself sends 429, which is no problem details.
    const trouble = response.status === 429 ? 'Too many requests at once' : 'Something broke on our side';
    const text = answer?.detail || `${trouble}. Try again in a moment.`;
    throw Object.assign(new Error(text), { status: response.status, quote: answer?.quote, tag });
  }

  const saved = () => quote.textContent;

  // The text in the field, if it is nowhere else.
  const unsaved = () => (field.value.trim() === saved().trim() ? '' : field.value.trim() && field.value);

  // A reload or a visit elsewhere keeps what is typed, unless storage is refused.
  function store(draft) {
    try {
      sessionStorage.draft = draft || '';
    } catch {}
  }

  function restore() {
    let draft = {};
    try {
      draft = JSON.parse(sessionStorage.draft);
    } catch {}
    if (draft.owner !== owner) return;
    // What a form brings back is newer, and may be only the beginning.
    if (unsaved()) {
      if (draft.text.startsWith(field.value)) field.value = draft.text;
      return;
    }
    field.value = draft.text;
    if (!unsaved()) return;
    // What the server says stays.
    const told = status.textContent && status.cloneNode(true);
    edit(draft.open);
    if (draft.open && draft.based !== version.value) compare();
    if (told) status.replaceWith(status = told);
  }

  function show({ quote: now, tag }, typed, open = typed) {
    main.dataset.state = now ? 'quote' : 'empty';
    version.value = shown.value = tag;
    quote.textContent = now ? now.message.replace(/\r\n?/g, '\n') : '';
    if (now) date(now.savedAt);
    field.value = typed || saved();
    measure(quote, saved());
    edit(open);
  }

  // In the reader's language and time zone.
  function date(savedAt) {
    const exact = new Date(savedAt);
    time.dateTime = savedAt;
    time.textContent = exact.toLocaleDateString([], { dateStyle: 'long' });
    time.title = exact.toLocaleString([], { dateStyle: 'full', timeStyle: 'long' });
  }

  function edit(open) {
    editor.open = open || !saved();
    label(false);
    complain('');
    say('');
    if (editor.open && unsaved()) say('What you typed before is here.', 'Start over', startOver);
    changed();
  }

  function startOver() {
    field.value = saved();
    edit(true);
    field.focus();
  }

  // Both texts are shown: what is saved now, and in the field what was typed.
  function compare() {
    say('');
    label(!!saved());
    complain(saved() ? 'Changed elsewhere meanwhile: this is yours, above is what is saved now.'
      : 'Deleted elsewhere meanwhile: this is what you typed.');
    field.focus();
  }

  function label(both) {
    main.classList.toggle('both', both);
    forms.save.querySelector('button').textContent = both ? 'Keep mine' : 'Save Quote';
    cancel.textContent = both ? 'Take the other' : 'Cancel';
  }

  function complain(text) {
    problem.replaceChildren(text && make('a', { href: '#message', textContent: text }));
    field.ariaInvalid = text ? 'true' : null;
  }

  // Long texts and lines are set in another way, see `.long`.
  function measure(element, text) {
    const length = [...text.trim()].length;
    element.classList.toggle('long', length > quote.dataset.long || text.trim().includes('\n'));
    return length;
  }

  function changed() {
    const more = left.dataset.max - measure(field, field.value);
    left.textContent = more < 0 ? `${-more} too many` : more <= 50 ? `${more} left`
      : isTouch ? '' : 'Shift and Enter begin a new line.';
    const text = unsaved();
    store(text && !signedOut && JSON.stringify({ owner, open: editor.open, based: version.value, text }));
    return more;
  }

  function say(text, name, onclick) {
    status.replaceChildren(text);
    status.className = '';
    if (name) status.append(' ', make('button', { type: 'button', textContent: name, onclick }));
  }

  // One change at a time; what was typed stays when it fails.
  async function change(form, work) {
    if (field.readOnly) return;
    const button = form.querySelector('button');
    const name = button.textContent;
    button.ariaBusy = 'true';
    button.textContent = button.dataset.busy;
    // What is typed now would be replaced by what is saved.
    field.readOnly = true;
    // Undoing a deletion is offered until something else was done.
    const offer = status.querySelector('button') ? [...status.childNodes] : [];
    say('');
    try {
      await work();
    } catch (error) {
      // The form itself gets a new session and brings the text back.
      if (error.status === 401 && !error.stays) {
        leaving = true;
        return form.submit();
      }
      const text = error.status ? error.message : 'The network did not answer. Please try again.';
      const conflict = error.status === 412;
      if (conflict) show(error, unsaved(), form === forms.save);
      if (form === forms.delete) {
        say(conflict ? 'Not deleted: it was changed elsewhere meanwhile, to this.' : text);
        status.className = 'failed';
      } else if (conflict) {
        compare();
      } else {
        complain(text);
        field.focus();
      }
      if (error.stays ?? form === forms.save) status.append(...offer);
    }
    field.readOnly = false;
    button.ariaBusy = null;
    if (button.textContent === button.dataset.busy) button.textContent = name;
  }

  async function save() {
    const text = field.value.trim();
    complain('');
    // Half of a surrogate pair becomes U+FFFD, as in a form.
    show(await call('PUT', version.value, text.toWellFormed()));
    say(saved() === text ? 'Saved.' : 'Saved. Characters that cannot be shown were replaced or left out.');
    quote.focus();
  }

  async function remove() {
    const message = saved();
    // Undoing replaces nothing that was saved since, unless that was shown.
    let based = '';
    const undo = () => change(forms.save, async () => {
      const typed = unsaved();
      try {
        show(await call('PUT', based, message), typed);
      } catch (error) {
        if (error.status === 412) based = error.tag;
        error.stays = typed;
        if (!typed) {
          // The form takes it through a new sign-in if need be.
          field.value = message;
          changed();
        }
        throw error;
      }
      say(typed ? 'Saved. What you typed meanwhile is in the field.' : 'Saved.');
      (typed ? field : quote).focus();
    });
    await call('DELETE', shown.value);
    show({ tag: '' }, unsaved());
    say('Deleted.', 'Undo', undo);
    field.focus();
  }

  // Another tab or device may have changed the quote while this page was not looked
  // at. What is typed, or can be undone, is compared when it is saved.
  async function refresh() {
    const before = version.value;
    const isIdle = () => !document.hidden && version.value === before &&
      !field.readOnly && !status.querySelector('button') && !(editor.open && unsaved());
    if (!isIdle()) return;
    const now = await call('GET', before).catch(({ status }) => ({ tag: status === 404 ? '' : before }));
    if (now.tag === before || !isIdle()) return;
    show(now, unsaved(), editor.open);
    say('Changed elsewhere meanwhile.');
  }

  cancel.hidden = copy.hidden = false;
  field.enterKeyHint = isTouch ? 'enter' : 'done';
  if (time.dateTime) date(time.dateTime);
  on(document, 'visibilitychange', refresh);
  on(window, 'beforeunload', (event) => {
    if (!leaving && editor.open && unsaved()) event.preventDefault();
  });
  on(field, 'input', () => {
    // An error goes once it is mended.
    if (changed() >= 0) complain('');
  });
  on(field, 'keydown', (event) => {
    // Safari confirms a word of an input method with an Enter of this code.
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === 'Escape' && saved()) cancel.click();
    if (event.key !== 'Enter' || event.shiftKey || isTouch) return;
    event.preventDefault();
    forms.save.requestSubmit();
  });
  instead(summary, 'click', () => {
    edit(true);
    field.focus();
  });
  // The link's target would stay in the address.
  instead(problem, 'click', () => field.focus());
  on(cancel, 'click', () => {
    if (field.readOnly) return;
    edit(false);
    if (unsaved()) say('Not saved. What you typed comes back when you edit.');
    summary.focus();
  });
  on(copy, 'click', () =>
    navigator.clipboard.writeText(saved()).then(() => say('Copied.'), () => say('The browser does not allow it.')));
  for (const [form, work] of [[forms.save, save], [forms.delete, remove]]) {
    instead(form, 'submit', () => change(form, work));
  }
  user('expected');
  // What is not shown cannot get the focus.
  if (field.autofocus) field.focus();
  restore();
  changed();
})();
