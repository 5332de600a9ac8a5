// A list that htmx redraws in place: the address follows its filters, order and page, so that Reload shows the same.

addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr, requestConfig } = event.detail;
  if (!target?.hasAttribute("data-grid") || xhr.status !== 200) return;
  // A whole document is not the list: the session ended.
  if (/<html[\s>]/i.test(xhr.responseText)) {
    event.detail.shouldSwap = false;
    location.assign(requestConfig.path);
    return;
  }
  const address = xhr.getResponseHeader("HX-Replace-Url");
  if (address) history.replaceState(history.state, "", address);
});
