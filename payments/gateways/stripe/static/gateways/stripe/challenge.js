// The bank's approval inside the portal's page. Stripe opens the bank's frame; however it ends, the page's own link leads
// on, and the portal asks Stripe how things stand. Nothing that is said here counts.

(() => {
  const begun = new WeakSet();

  const tell = (section, message) => {
    const problem = section.querySelector("[data-stripe-problem]");
    problem.textContent = message;
    problem.hidden = !message;
    section.querySelector("[data-stripe-again]").hidden = !message;
    section.querySelector("[data-stripe-waiting]").hidden = Boolean(message);
  };

  // The panel is a modal dialog: all that lies outside it is beneath it and cannot be pressed, Stripe's frame too. So
  // it stands back while the bank asks. Returns what puts it in front again.
  const standBack = (section) => {
    const panel = section.closest("dialog:modal");
    if (!panel) return () => {};
    panel.close();
    panel.show();
    return () => {
      if (!panel.open) return; // left in the meantime
      panel.close();
      panel.showModal();
    };
  };

  const open = async (section) => {
    tell(section, "");
    if (!window.Stripe) {
      tell(section, section.dataset.missing);
      return;
    }
    const stripe = window.Stripe(section.dataset.key, { locale: document.documentElement.lang || "auto" });
    const comeBack = standBack(section);
    const answer = await stripe.handleNextAction({ clientSecret: section.dataset.secret }).catch((error) => ({ error }));
    comeBack();
    if (!section.isConnected) return;
    if (answer.error?.type === "api_connection_error") tell(section, section.dataset.missing);
    else document.querySelector("[data-challenge-done]").click();
  };

  const ready = () => {
    for (const section of document.querySelectorAll("[data-stripe-challenge]")) {
      if (begun.has(section)) continue;
      begun.add(section);
      section.querySelector("[data-stripe-again]").addEventListener("click", () => open(section));
      open(section);
    }
  };

  ready();
  document.addEventListener("htmx:afterSwap", ready);
})();
