// clerk-js puts the address to return to behind a #, which no server sees.
const hash = new URLSearchParams(location.hash.replace(/^#\/?\??/, ""));
const target =
  hash.get("sign_in_force_redirect_url") ??
  hash.get("redirect_url") ??
  hash.get("sign_in_fallback_redirect_url");

if (target) {
  for (const input of document.querySelectorAll("input[name=redirect_url]")) {
    input.value = new URL(target, location.href).href;
  }
}
