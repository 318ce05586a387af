// What stands behind a figure, on hover and on focus. Without JavaScript the tables have it in their columns.
(function () {
  'use strict';
  const tip = document.createElement('div');
  tip.id = 'khost-tip';
  tip.setAttribute('role', 'tooltip');
  tip.hidden = true;
  document.body.append(tip);
  let of = null;

  function place(x, y) {
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x, innerWidth - box.width - 8)) + 'px';
    tip.style.top = (y + box.height + 20 > innerHeight ? Math.max(4, y - box.height - 10) : y + 16) + 'px';
  }
  function hide() {
    tip.hidden = true;
    if (of) of.removeAttribute('aria-describedby');
    of = null;
  }
  function show(element) {
    hide();
    of = element;
    tip.textContent = element.dataset.tip;
    element.setAttribute('aria-describedby', 'khost-tip');
    const box = element.getBoundingClientRect();
    place(box.left, box.bottom - 8);
  }
  const owner = event => event.target.closest && event.target.closest('[data-tip]');
  for (const [name, act] of [['mouseover', e => owner(e) && show(owner(e))], ['mouseout', e => owner(e) && hide()],
                             ['focusin', e => owner(e) ? show(owner(e)) : hide()], ['focusout', hide],
                             ['keydown', e => e.key === 'Escape' && hide()],
                             ['scroll', () => of && of === document.activeElement ? show(of) : hide()]])
    document.addEventListener(name, act, { passive: true });

  // On paper nothing can be unfolded.
  addEventListener('beforeprint', () => { for (const e of document.querySelectorAll('header details')) e.open = true; });

  // For a mark of a chart: its text, or nothing.
  window.khostTip = function (event, text) {
    if (!text) return hide();
    tip.textContent = text;
    place(event.clientX, event.clientY);
  };
})();
