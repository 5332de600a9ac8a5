// Stripe's card field. What is typed stays in Stripe's own frame; here it becomes an id, and the form goes out with it.
//
// The form is held back before anybody else hears of it, htmx included, and sent again once the id is there.

(() => {
  const working = new WeakSet(); // forms whose card is being made into an id
  const passing = new WeakSet(); // forms that are sent on with it
  const elements = new WeakMap(); // fields and what Stripe drew in them
  const accounts = new Map(); // keys and Stripe's object for each

  // What Stripe calls the parts, and the sentence for each.
  const PARTS = [
    [/number/, "wrongNumber"],
    [/expiry/, "wrongExpiry"],
    [/cvc/, "wrongCode"],
    [/zip|postal/, "wrongPostal"],
  ];

  const fieldOf = (form) => form.querySelector("[data-stripe-card]");
  const tokenOf = (field) => field.querySelector("[data-stripe-token]");

  const isWanted = (form) => {
    const choice = form.querySelector("[data-card-new]");
    return Boolean(fieldOf(form)) && (!choice || choice.checked);
  };

  const stripeOf = (key) => {
    if (!accounts.has(key)) accounts.set(key, window.Stripe(key, { locale: document.documentElement.lang || "auto" }));
    return accounts.get(key);
  };

  const sentence = (field, error) => {
    const [, name] = PARTS.find(([pattern]) => pattern.test(error.code ?? "")) ?? [null, "failed"];
    return field.dataset[name];
  };

  // Text in the field's own place; an empty message takes it away.
  const complain = (field, message) => {
    const place = field.querySelector("[data-stripe-problem]");
    place.textContent = message;
    place.hidden = !message;
    const box = field.querySelector("[data-stripe-field]");
    box.classList.toggle("is-invalid", Boolean(message));
  };

  const forget = (field) => {
    const token = tokenOf(field);
    token.value = "";
    token.disabled = true;
  };

  // Stripe draws in a frame of its own, which our stylesheets do not reach: the same colors, by their variables.
  const styleOf = (field) => {
    const page = getComputedStyle(field);
    const read = (name) => page.getPropertyValue(name).trim();
    const font = { fontFamily: page.fontFamily, fontSize: page.fontSize };
    return {
      base: { ...font, color: read("--ink"), iconColor: read("--muted"), "::placeholder": { color: read("--muted") } },
      invalid: { color: read("--bad") || read("--ink"), iconColor: read("--bad") || read("--ink") },
    };
  };

  const draw = (field) => {
    if (elements.has(field)) return;
    field.querySelector("[data-stripe-typed]").hidden = false;
    if (!window.Stripe) {
      complain(field, field.dataset.missing);
      return;
    }
    const card = stripeOf(field.dataset.key).elements().create("card", { style: styleOf(field) });
    card.mount(field.querySelector("[data-stripe-field]"));
    card.on("change", (event) => {
      forget(field); // other digits are another card
      complain(field, event?.error ? sentence(field, event.error) : "");
    });
    elements.set(field, card);
  };

  const exchange = async (form, submitter) => {
    const field = fieldOf(form);
    const token = tokenOf(field);
    const card = elements.get(field);
    if (!card) {
      complain(field, field.dataset.missing);
      return;
    }
    if (!token.value) {
      working.add(form);
      form.setAttribute("aria-busy", "true");
      const name = field.querySelector("[data-stripe-name]").value.trim();
      const answer = await stripeOf(field.dataset.key)
        .createPaymentMethod({ type: "card", card, ...(name && { billing_details: { name } }) })
        .catch(() => ({ error: {} }));
      working.delete(form);
      form.removeAttribute("aria-busy");
      if (!form.isConnected) return;
      if (!answer?.paymentMethod) {
        complain(field, sentence(field, answer?.error ?? {}));
        card.focus?.();
        return;
      }
      token.value = answer.paymentMethod.id;
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
      exchange(form, event.submitter);
    },
    true,
  );

  const ready = () => {
    for (const field of document.querySelectorAll("[data-stripe-card]")) {
      field.querySelector("noscript")?.remove(); // put in by htmx, what stands in it is shown all the same
      draw(field);
      // Tells the portal that the bank can be answered inside the page.
      const inPage = window.Stripe && field.closest("form")?.querySelector("[data-in-page]");
      if (inPage) inPage.value = inPage.dataset.inPage;
    }
  };

  const repaint = () => {
    for (const field of document.querySelectorAll("[data-stripe-card]")) {
      elements.get(field)?.update?.({ style: styleOf(field) });
    }
  };

  ready();
  document.addEventListener("htmx:afterSwap", ready);
  new MutationObserver(repaint).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const field of document.querySelectorAll("[data-stripe-card]")) forget(field);
  });
})();
