// The blade: htmx puts the side panel's content into <dialog id="blade">, this opens and closes it.
//
// Every blade has an address of its own. Opening one adds an entry to the history, so Back closes it, Reload shows the
// same thing as a page, and closing goes back to where the person was. An entry remembers `base` (the page beneath),
// `blade` (the address in the panel, or nothing) and `depth` (how many entries lie above the page).

const blade = document.getElementById("blade");
const here = () => location.pathname + location.search;
const base = here();
const state = () => history.state ?? {};
const pageTitle = document.title;
let opener = null;
let isStale = false; // whether the page beneath still shows what a payment has changed meanwhile

const isBlade = (event) => event.detail.target === blade;

const focusFirst = () => {
  const marked = blade.querySelector("[aria-invalid=true], [role=alert] a, [autofocus]");
  const fields = blade.querySelectorAll("form[method=post] :is(input:not([type=hidden]), select, textarea):not(:disabled)");
  const first = marked ?? [...fields].find((field) => field.checkVisibility());
  (first ?? blade.querySelector("#blade-title"))?.focus();
};

const open = () => {
  if (!blade.open) blade.showModal();
  focusFirst();
};

// What opened the blade may have been drawn anew in the meantime, perhaps without its link: an invoice that was paid has
// no Pay now. Then the link to the same place, else to what that place is a part of, else the content.
const linkTo = (path) => {
  for (let at = path; at.length > 1; at = at.replace(/[^/]*\/?$/, "")) {
    const link = document.querySelector(`main a[href="${CSS.escape(at)}"]`);
    if (link) return link;
  }
  return null;
};

const giveFocusBack = () => {
  const again = opener && (opener.element.isConnected ? opener.element : linkTo(opener.href ?? ""));
  (again ?? document.getElementById("main")).focus();
  opener = null;
};

const shut = () => {
  if (!blade.open) return;
  blade.close();
  blade.replaceChildren();
  document.title = pageTitle;
  giveFocusBack();
  if (isStale) location.reload();
};

const leave = () => {
  if (state().depth) history.go(-state().depth);
  else shut();
};

const showFailure = () => {
  const body = document.getElementById("blade-failure").content.firstElementChild.cloneNode(true);
  if (!blade.open) {
    blade.replaceChildren(body);
    blade.showModal();
    return;
  }
  const message = body.firstElementChild;
  blade.querySelector("[data-blade-failure]")?.remove();
  (blade.querySelector(".blade-body") ?? blade).prepend(message);
  message.scrollIntoView({ block: "nearest" });
};

const connect = () => {
  history.replaceState({ base, blade: null, depth: 0 }, "");

  // The server draws parts of the page beneath again when it knows that page.
  addEventListener("htmx:configRequest", (event) => {
    if (isBlade(event)) event.detail.headers["Blade-Base"] = base;
  });

  addEventListener("htmx:beforeRequest", (event) => {
    if (!isBlade(event) || blade.open) return;
    const element = event.target.closest("a, button") ?? event.target;
    opener = { element, href: element.getAttribute("href") };
  });

  addEventListener("htmx:beforeSwap", (event) => {
    if (!isBlade(event)) return;
    const { xhr, requestConfig } = event.detail;
    // A whole document means that the answer is not meant for the panel: the session ended, or the server failed.
    if (/<html[\s>]/i.test(xhr.responseText)) {
      event.detail.shouldSwap = false;
      if (xhr.status >= 500) showFailure();
      else if (requestConfig.verb === "get") location.assign(requestConfig.path);
      else location.reload();
      return;
    }
    event.detail.shouldSwap = xhr.status !== 204;
    event.detail.isError = false;
  });

  addEventListener("htmx:afterSwap", (event) => {
    if (!isBlade(event)) return;
    const { xhr, requestConfig } = event.detail;
    const request = new URL(requestConfig.path, location.href);
    const response = new URL(xhr.responseURL || request, location.href);
    const address = response.pathname + response.search;
    const pushes = requestConfig.verb === "get" && requestConfig.elt?.closest("[hx-push-url=true]");
    if (pushes && !requestConfig.triggeringEvent?.detail?.restoring) {
      history.pushState({ base, blade: address, depth: (state().depth ?? 0) + 1 }, "", address);
    } else if (state().blade && response.pathname !== request.pathname) {
      history.replaceState({ ...state(), blade: address }, "", address);
    }
    const mark = blade.querySelector("[data-reload-beneath]");
    if (mark && (blade.open || mark.dataset.reloadBeneath)) isStale = true;
    open();
  });

  for (const failure of ["htmx:sendError", "htmx:timeout"]) {
    addEventListener(failure, (event) => {
      if (isBlade(event)) showFailure();
    });
  }

  blade.addEventListener("cancel", (event) => {
    event.preventDefault();
    leave();
  });

  blade.addEventListener("click", (event) => {
    if (event.target === blade) leave(); // the backdrop
    const link = event.target.closest("[data-blade-close]");
    if (!link) return;
    event.preventDefault();
    leave();
  });

  addEventListener("popstate", () => {
    if (history.state === null) history.replaceState({ base, blade: null, depth: 0 }, ""); // a link within the page
    else if (state().base !== base) location.reload();
    else if (!state().blade) shut();
    else htmx.ajax("get", state().blade, { target: blade, swap: "innerHTML" });
  });
};

if (blade) connect();
