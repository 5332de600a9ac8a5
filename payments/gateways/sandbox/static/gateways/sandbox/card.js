// The sandbox's card field. What is typed goes to the sandbox's own endpoint, which gives a one-time token for it; the
// form then goes out with the token. The fields have no names, so the form itself never carries a card number.
//
// The form is held back before anybody else hears of it, htmx included, and sent again once the token is there.

(() => {
  const working = new WeakSet(); // forms whose token is being made
  const passing = new WeakSet(); // forms that are sent on with their token

  const fieldOf = (form) => form.querySelector("[data-sandbox-card]");
  const inputs = (field) => [...field.querySelectorAll("[data-card-part]")];

  const isWanted = (form) => {
    const choice = form.querySelector("[data-card-new]");
    return Boolean(fieldOf(form)) && (!choice || choice.checked);
  };

  // Text in the field's own place; an empty message takes it away.
  const show = (place, message) => {
    place.textContent = message;
    place.hidden = !message;
  };

  const mark = (input, message) => {
    input.classList.toggle("is-invalid", Boolean(message));
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    const place = document.getElementById(input.getAttribute("aria-describedby"));
    if (place) show(place, message ?? "");
  };

  const complain = (field, errors) => {
    for (const input of inputs(field)) mark(input, errors[input.dataset.cardPart]);
    show(field.querySelector("[data-sandbox-problem]"), errors[""] ?? "");
    (field.querySelector("[aria-invalid=true]") ?? field.querySelector("[data-card-part]")).focus();
  };

  const askForToken = async (form, field) => {
    const typed = Object.fromEntries(inputs(field).map((input) => [input.dataset.cardPart, input.value]));
    delete typed.name; // the sandbox has no use for it
    const answer = await fetch(field.dataset.tokens, {
      method: "POST",
      redirect: "manual",
      headers: {
        "Content-Type": "application/json",
        "X-CSRFToken": form.querySelector("[name=csrfmiddlewaretoken]").value,
      },
      body: JSON.stringify(typed),
    });
    if (answer.type === "opaqueredirect" || answer.status === 403) return { errors: { "": field.dataset.signedOut } };
    return answer.json();
  };

  const exchange = async (form, submitter) => {
    const field = fieldOf(form);
    const token = field.querySelector("[data-sandbox-token]");
    if (!token.value) {
      working.add(form);
      form.setAttribute("aria-busy", "true");
      const answer = await askForToken(form, field).catch(() => ({ errors: { "": field.dataset.failed } }));
      working.delete(form);
      form.removeAttribute("aria-busy");
      if (!form.isConnected) return;
      if (!answer.token) {
        complain(field, answer.errors ?? { "": field.dataset.failed });
        return;
      }
      token.value = answer.token;
    }
    for (const choice of field.querySelectorAll("select[name=card_token]")) choice.disabled = true;
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
      exchange(form, event.submitter);
    },
    true,
  );

  // Other digits are another card: the token that was made for the old ones goes.
  document.addEventListener("input", (event) => {
    const input = event.target;
    const field = input.closest?.("[data-sandbox-card]");
    if (!field || !input.dataset.cardPart) return;
    const token = field.querySelector("[data-sandbox-token]");
    token.value = "";
    token.disabled = true;
    mark(input, "");
    if (event.inputType?.startsWith("delete")) return;
    if (input.dataset.cardPart === "number" && input.selectionEnd === input.value.length) {
      const digits = input.value.replace(/\D/g, "").slice(0, 19);
      input.value = digits.replace(/(.{4})(?=.)/g, "$1 ");
    }
    if (input.dataset.cardPart === "expiry") input.value = input.value.replace(/^(\d{2})\s*\/?\s*(?=\d)/, "$1 / ");
  });

  // The fields are for those whose browser runs this; the list of test cards is for the others. Put in by htmx, what
  // stands in a noscript is part of the form all the same, so it is taken out. The portal is told
  // that the bank can be answered inside the page.
  const ready = (root) => {
    for (const input of root.querySelectorAll("[data-in-page]")) input.value = input.dataset.inPage;
    for (const field of root.querySelectorAll("[data-sandbox-card]")) {
      field.querySelector("noscript")?.remove();
      field.querySelector("[data-sandbox-typed]").hidden = false;
    }
  };

  ready(document);
  document.addEventListener("htmx:afterSwap", () => ready(document));
  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    for (const token of document.querySelectorAll("[data-sandbox-token]")) token.value = "";
  });
})();
