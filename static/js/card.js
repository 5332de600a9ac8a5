// The card field in the portal's forms. A gateway's own script turns what is typed into a token, and registers here;
// the form goes out with the token in `card_token`, and never carries a card number.
//
// The form is held back before anybody else hears of it, htmx included, and sent again once the token is there.

window.cardField = (() => {
  const working = new WeakSet(); // forms whose token is being made
  const passing = new WeakSet(); // forms that are sent on with their token

  const fields = () => document.querySelectorAll("[data-card-field]");
  const tokenOf = (field) => field.querySelector("[data-card-token]");

  const isWanted = (form) => {
    const choice = form.querySelector("[data-card-new]");
    return Boolean(form.querySelector("[data-card-field]")) && (!choice || choice.checked);
  };

  // Text in the field's own place; an empty message takes it away.
  const complain = (field, message, place = field.querySelector("[data-card-problem]")) => {
    place.textContent = message;
    place.hidden = !message;
  };

  // Other digits are another card: the token that was made for the old ones goes.
  const forget = (field) => {
    tokenOf(field).value = "";
    tokenOf(field).disabled = true;
  };

  // exchange(field, form): promises { token }, or whatever refuse(field, answer) then tells the person; it gets {} when
  // the exchange failed. draw(field) may be called again. answersInPage(): whether the bank can be answered in the page.
  const register = ({ exchange, refuse, draw = () => {}, answersInPage = () => true }) => {
    const send = async (form, submitter) => {
      const field = form.querySelector("[data-card-field]");
      const token = tokenOf(field);
      if (!token.value) {
        working.add(form);
        form.setAttribute("aria-busy", "true");
        const answer = await exchange(field, form).catch(() => ({}));
        working.delete(form);
        form.removeAttribute("aria-busy");
        if (!form.isConnected) return;
        if (!answer?.token) {
          refuse(field, answer ?? {});
          return;
        }
        token.value = answer.token;
      }
      token.disabled = false;
      passing.add(form);
      form.requestSubmit(submitter?.isConnected ? submitter : undefined);
      passing.delete(form);
    };

    document.addEventListener(
      "submit",
      (event) => {
        const form = event.target;
        if (passing.has(form) || !isWanted(form)) return;
        event.preventDefault();
        event.stopImmediatePropagation();
        if (working.has(form) || form.getAttribute("aria-busy") === "true") return;
        send(form, event.submitter);
      },
      true,
    );

    // The fields are for those whose browser runs this. Put in by htmx, what stands in a noscript is part of the form
    // all the same, so it is taken out. The portal is told whether the bank can be answered inside the page.
    const ready = () => {
      if (answersInPage()) {
        for (const input of document.querySelectorAll("[data-in-page]")) input.value = input.dataset.inPage;
      }
      for (const field of fields()) {
        field.querySelector("noscript")?.remove();
        field.querySelector("[data-card-typed]").hidden = false;
        draw(field);
      }
    };

    ready();
    document.addEventListener("htmx:afterSwap", ready);
    addEventListener("pageshow", (event) => {
      if (event.persisted) for (const field of fields()) forget(field);
    });
  };

  return { complain, fields, forget, register };
})();
